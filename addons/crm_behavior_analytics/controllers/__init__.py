from . import check, tracking
