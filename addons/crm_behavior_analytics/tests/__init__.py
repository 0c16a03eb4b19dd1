from . import (
    test_behavior_source,
    test_check_endpoint,
    test_event_store,
    test_features,
    test_live,
    test_orders,
    test_prediction,
    test_tracking,
    test_tracking_http,
    test_training,
    test_visitor,
)
