from . import (
    test_decide,
    test_decision,
    test_erasure_mailing,
    test_exposure,
    test_keys,
    test_merge,
    test_personalization_slot,
    test_website,
)
