from . import routing_candidate
