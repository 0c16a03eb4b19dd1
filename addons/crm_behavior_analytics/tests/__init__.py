from . import test_behavior_source, test_check_endpoint, test_origins
