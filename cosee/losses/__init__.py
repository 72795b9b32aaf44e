"""Losses as pure functions: per exit, weighted by example (SWM), signal calibration (OSC), halting."""
