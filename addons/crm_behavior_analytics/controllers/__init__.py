from . import check, serving, tracking, visitor
