from . import (
    test_behavior_source,
    test_check_endpoint,
    test_event_store,
    test_features,
    test_merge,
    test_orders,
    test_origins,
    test_prediction,
    test_tracking,
    test_tracking_http,
    test_training,
)
