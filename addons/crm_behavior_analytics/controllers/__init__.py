from . import check, serving, tracking
