from . import test_decision, test_merge, test_personalization_slot
