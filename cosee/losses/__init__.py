"""Losses as pure functions: per exit, weighted by sample (SWM), calibrated (OSC), halting."""
