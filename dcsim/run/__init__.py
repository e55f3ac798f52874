"""Runs a scenario: builds the model, lets it run, gathers what came out."""

from dcsim.run.run import run_scenario

__all__ = ["run_scenario"]
