from . import test_guard
from . import test_hooks
from . import test_queue
