from . import test_field_policy_leaks
from . import test_guard
from . import test_hooks
from . import test_queue
from . import test_work_goes_on
