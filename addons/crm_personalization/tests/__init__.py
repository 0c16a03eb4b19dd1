from . import (
    test_decide,
    test_decision,
    test_exposure,
    test_keys,
    test_merge,
    test_personalization_slot,
    test_website,
)
