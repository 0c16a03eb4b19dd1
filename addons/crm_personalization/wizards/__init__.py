from . import personalization_slot_preview
