#!/usr/bin/env python3
"""Runs one file of tests in a process of its own and counts: python3 run.py FILE [LIBRARY]"""
import importlib.util
import os
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent


def main():
    if len(sys.argv) > 2:
        os.environ["SLUICE_LIBRARY"] = os.path.abspath(sys.argv[2])
    sys.path[:0] = [str(HERE.parent), str(HERE)]
    os.environ["PYTHONPATH"] = str(HERE.parent)  # of processes that tests start
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    spec = importlib.util.spec_from_file_location("tests", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(verbosity=int(os.environ.get("V", "0")) + 1).run(suite)
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    return 1 if bad or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
