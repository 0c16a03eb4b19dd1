from . import (
    test_behavior_source,
    test_check_endpoint,
    test_event_store,
    test_features,
    test_orders,
    test_origins,
    test_labels,
    test_prediction,
    test_serving,
    test_tracking,
    test_tracking_http,
    test_training,
)
