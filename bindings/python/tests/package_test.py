"""Goal: what is given to people works as it stands: the wheel and the examples.
Method: the wheel is unpacked into an empty folder, and programs run with nothing but it."""
import ast
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

import sluice
from sluice._library import library

HERE = pathlib.Path(__file__).resolve().parent.parent


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.wheels = []
        for name in ("one", "two"):
            done = subprocess.run([sys.executable, HERE / "wheel.py", library().path, os.path.join(cls.folder.name, name)],
                                  check=True, capture_output=True, text=True)
            cls.wheels.append(pathlib.Path(done.stdout.strip()))
        cls.site = os.path.join(cls.folder.name, "site")
        with zipfile.ZipFile(cls.wheels[0]) as archive:
            archive.extractall(cls.site)

    def run_program(self, *command, cwd=None):
        environment = {name: value for name, value in os.environ.items() if name not in ("SLUICE_LIBRARY", "PYTHONPATH")}
        done = subprocess.run([sys.executable, *command], env={**environment, "PYTHONPATH": self.site}, timeout=60,
                              capture_output=True, text=True, cwd=cwd or self.folder.name, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def test_the_same_wheel_twice(self):
        self.assertEqual(self.wheels[0].read_bytes(), self.wheels[1].read_bytes())
        self.assertRegex(self.wheels[0].name, r"^sluice-[\d.]+-py3-none-\w+\.whl$")

    def test_it_brings_its_library(self):
        told = self.run_program("-c", "import sluice._library as l; print(l.library().path)")
        self.assertTrue(told.startswith(self.site), told)
        self.assertTrue(os.path.exists(os.path.join(self.site, "sluice", "py.typed")))

    def test_examples(self):
        for name, last in (("tutorial", "hello 9"), ("logs", "each file's in order"), ("etl", "each once"),
                           ("activity", "/pay")):
            with self.subTest(name):
                self.assertIn(last, self.run_program(HERE / "examples" / f"{name}.py").splitlines()[-1])

    def test_everything_that_is_public_says_what_it_is_and_of_what_types(self):
        for path in (HERE / "sluice").glob("[a-z]*.py"):
            body = ast.parse(path.read_text(encoding="utf-8")).body
            for node in body + [n for c in body if isinstance(c, ast.ClassDef) and c.name[0] != "_" for n in c.body]:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    self.assertTrue(ast.get_docstring(node), f"{path.name}: {node.name}")
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
                    where = f"{path.name}: {node.name}"
                    self.assertTrue(ast.get_docstring(node), where)
                    self.assertIsNotNone(node.returns, where)
                    for argument in node.args.args + node.args.kwonlyargs:
                        self.assertTrue(argument.arg == "self" or argument.annotation is not None, where)

    def test_all_names_are_there(self):
        for name in sluice.__all__:
            self.assertTrue(hasattr(sluice, name), name)


if __name__ == "__main__":
    unittest.main()
