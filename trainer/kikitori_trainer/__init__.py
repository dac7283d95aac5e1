"""Trains the phone recogniser of kikitori: features, augmentation, synthesis, CTC training."""
