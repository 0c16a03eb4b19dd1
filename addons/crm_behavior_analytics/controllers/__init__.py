from . import check, login, tracking
