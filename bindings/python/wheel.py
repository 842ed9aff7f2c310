#!/usr/bin/env python3
"""Builds the wheel: the package with the shared library in it, for every Python 3 of this platform.

    python3 wheel.py LIBRARY FOLDER [--manylinux]   writes FOLDER/sluice-VERSION-py3-none-PLATFORM.whl, prints its name

The same input gives the same bytes. A library that wants the system's OpenSSL, SASL, zlib, snappy, lz4 and zstd gets the
tag of the system it was built on (linux_x86_64). With --manylinux it may want nothing but what every Linux has, and the
tag says from which C library on (manylinux_2_34): for that OpenSSL, zlib, snappy, lz4 and zstd are in it, with their
licenses beside them (`make manylinux`). What it wants is read from the library itself.
"""
import base64
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from sluice import _abi  # noqa: E402  the package is not installed yet

METADATA = """Metadata-Version: 2.1
Name: sluice
Version: {version}
Summary: Producers, consumers and a test cluster for Apache Kafka, over a C library
License: Apache-2.0
Requires-Python: >=3.9
Classifier: Programming Language :: Python :: 3
Classifier: Typing :: Typed
Description-Content-Type: text/markdown

{readme}"""
WHEEL = """Wheel-Version: 1.0
Generator: sluice
Root-Is-Purelib: false
Tag: {tag}
"""


# What a manylinux library may want (PEP 600): these files, and of the C++ library what manylinux_2_28 has.
EVERYWHERE = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libgcc_s.so.1", "libstdc++.so.6"}
NEWEST = {"GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11)}
LEAST_GLIBC = (2, 28)
LINKED_IN = ("libssl", "zlib1g", "libsnappy", "liblz4", "libzstd")


def manylinux_tag(library):
    """The platform that this library can honestly claim; exits when there is none."""
    def read(flag):
        return subprocess.run(["readelf", flag, "--wide", library], check=True, capture_output=True, text=True).stdout
    wanted = set(re.findall(r"\(NEEDED\).*\[(.*)\]", read("--dynamic")))
    foreign = {name for name in wanted - EVERYWHERE if not name.startswith("ld-linux")}
    if foreign:
        sys.exit(f"{library} is for no manylinux: it wants {', '.join(sorted(foreign))}")
    glibc = LEAST_GLIBC
    for name, number in re.findall(r"Name: ([A-Z]+)_([\d.]+)", read("--version-info")):
        version = tuple(map(int, number.split(".")))
        if name == "GLIBC":
            glibc = max(glibc, version)
        elif name in NEWEST and version > NEWEST[name]:
            sys.exit(f"{library} is for no manylinux: it wants {name}_{number}")
    return f"manylinux_{glibc[0]}_{glibc[1]}_{os.uname().machine}"


def licenses():
    """Of what is linked in, as its packages have them."""
    found = {}
    for name in LINKED_IN:
        paths = sorted(pathlib.Path("/usr/share/doc").glob(f"{name}*/copyright"))
        if not paths:
            sys.exit(f"there is no license of {name} below /usr/share/doc, which has to go along")
        found[name] = paths[0].read_bytes()
    return found


def stripped(library):
    """Its bytes without debugging information, where there is a strip."""
    with tempfile.NamedTemporaryFile() as copy:
        shutil.copyfile(os.path.realpath(library), copy.name)
        if shutil.which("strip"):
            flags = ["-x"] if sys.platform == "darwin" else ["--strip-unneeded"]
            subprocess.run(["strip", *flags, copy.name], check=True)
        return pathlib.Path(copy.name).read_bytes()


def build(library, folder, is_manylinux=False):
    platform = manylinux_tag(library) if is_manylinux else re.sub("[-.]", "_", sysconfig.get_platform())
    tag = f"py3-none-{platform}"
    info = f"sluice-{_abi.VERSION}.dist-info"
    own_name = "libsluice.0.dylib" if sys.platform == "darwin" else _abi.SONAME
    files = {f"sluice/{path.name}": path.read_bytes() for path in (HERE / "sluice").iterdir() if path.is_file()}
    files[f"sluice/{own_name}"] = stripped(library)
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    files[f"{info}/METADATA"] = METADATA.format(version=_abi.VERSION, readme=readme).encode()
    files[f"{info}/WHEEL"] = WHEEL.format(tag=tag).encode()
    files[f"{info}/LICENSE"] = (HERE.parent.parent / "LICENSE").read_bytes()
    if is_manylinux:
        files.update({f"{info}/licenses/{name}": data for name, data in licenses().items()})
    record = "".join(f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},"
                     f"{len(data)}\n" for name, data in sorted(files.items()))
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"sluice-{_abi.VERSION}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files, key=lambda name: (name.startswith(info), name)):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if ".so" in name or ".dylib" in name else 0o644) << 16
            archive.writestr(entry, files[name])
    return wheel


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    if len(sys.argv) not in (3, 4) or sys.argv[3:] not in ([], ["--manylinux"]):
        sys.exit(__doc__)
    print(build(sys.argv[1], pathlib.Path(sys.argv[2]), len(sys.argv) == 4))
