from . import check, tracking, visitor
