"""Leave out of an environment what no run of the app needs, while the image is built.

``python lean.py SITE_PACKAGES`` does five things:

1. It removes the files below. That they are not needed was measured: ``tests/container/everything.sh`` was traced with
   strace and opened none of them (but pandas, which Keras loads where it is installed, and does without). The same
   script, run in the image, shows that everything works without them. A pattern that matches nothing in an installed
   package ends the build on x86-64, so that the list follows the versions of the lock file.
2. It puts empty modules in place of some that TensorFlow imports when it starts, and of which it uses nothing before
   it is told to do what they are for.
3. It strips large shared libraries of the symbols for debuggers, and keeps one of those that came twice.
4. It keeps bytecode alone of the packages of others, and bytecode beside the source of this one.
5. It takes what was removed off the packages' own lists of files.
"""

import compileall
import csv
import filecmp
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

_METADATA = "what its name and version stand for is no longer there"

#: Patterns, and why they are not needed, by the file or folder whose presence says that the package is installed.
NOT_NEEDED: dict[str, tuple[tuple[str, str], ...]] = {
    "tensorflow": (
        ("tensorflow/include", "headers, to compile against TensorFlow"),
        ("tensorflow/compiler/mlir/stablehlo/stablehlo_extension.so", "export of models to StableHLO"),
        ("tensorflow/compiler/tf2xla/ops/_xla_ops.so", "operators of hand-written XLA programs"),
        ("tensorflow/xla_aot_runtime_src", "sources, to compile a model ahead of time"),
        ("tensorflow/lite", "TensorFlow Lite: models for telephones"),
        ("tensorflow/python/framework/lib_native_proto_caster.so", "messages of protobuf for code in C++"),
        ("tensorflow/python/framework/test_ops.py", "tests"),
        ("tensorflow/python/**/*_for_testing.so", "tests"),
        # Parts of SciPy that Keras loads on OpenVINO, and nothing on TensorFlow.
        ("scipy/signal", "filters"),
        ("scipy/stats", "statistics, needed by the filters"),
        ("scipy/integrate", "integrals and differential equations, needed by the statistics"),
        ("scipy/cluster", "clusters, needed by the statistics"),
        ("scipy/special/cython_special.*", "special functions, for the statistics"),
        ("scipy/sparse/csgraph", "graphs, needed by the clusters"),
        ("keras/src/backend/openvino", "another backend"),
    ),
    "keras": (
        ("keras/src/**/*_test.py", "tests"),
        ("keras/src/backend/torch", "another backend"),
        ("keras/src/backend/jax", "another backend"),
    ),
    "openvino": (
        ("openvino/include", "headers, to compile against OpenVINO"),
        ("openvino/cmake", "build files, to compile against OpenVINO"),
        ("openvino/libs/libopenvino_intel_gpu_plugin.so", "graphics processors"),
        ("openvino/libs/cache.json", "tuning of graphics processors"),
        ("openvino/libs/libopenvino_intel_npu_plugin.so", "neural processors"),
        ("openvino/libs/libopenvino_*_frontend.so.*", "readers of the files of other libraries"),
        ("openvino/frontend/*/py_*.so", "readers of the files of other libraries"),
    ),
    "openvino_telemetry": (
        ("openvino_telemetry", "reports on use to its makers, which this app must never send"),
        ("openvino_telemetry-*.dist-info", _METADATA),
    ),
    "clang": (
        ("clang", "compiler, which TensorFlow asks for but does not load"),
        ("libclang-*.dist-info", _METADATA),
    ),
    "grpc": (
        ("grpc", "calls between machines"),
        ("grpcio-*.dist-info", _METADATA),
    ),
    "pandas": (
        ("pandas", "tables, for parts of pybids that no run uses, and for training data of Keras"),
        ("pandas-*.dist-info", _METADATA),
    ),
    "formulaic": (
        ("formulaic", "formulas, for the statistics of pybids"),
        ("formulaic-*.dist-info", _METADATA),
    ),
    "interface_meta": (
        ("interface_meta", "needed by formulaic alone"),
        ("interface_meta-*.dist-info", _METADATA),
    ),
    "narwhals": (
        ("narwhals", "tables, needed by formulaic alone"),
        ("narwhals-*.dist-info", _METADATA),
    ),
    "num2words": (
        ("num2words", "numbers in words, for the reports of pybids"),
        ("num2words-*.dist-info", _METADATA),
    ),
    "docopt.py": (
        ("docopt.py", "command line of num2words"),
        ("docopt-*-info", _METADATA),
    ),
    "pygments": (
        ("pygments", "colours for source code on the terminal"),
        ("pygments-*.dist-info", _METADATA),
    ),
    "setuptools": (
        ("setuptools", "build tool"),
        ("_distutils_hack", "build tool: its replacement of distutils"),
        ("distutils-precedence.pth", "build tool: puts that replacement in place when Python starts"),
        ("setuptools-*.dist-info", _METADATA),
    ),
    "wheel": (
        ("wheel", "build tool"),
        ("wheel-*.dist-info", _METADATA),
    ),
    "bids_validator_deno": (("bids_validator_deno/bids-validator.js.map", "map of the validator, for its debugger"),),
    "bids": (("bids/**/tests", "tests and their data sets"),),
    "scipy": (
        ("scipy/**/tests", "tests"),
        ("scipy/io", "readers of Matlab, WAV and Matrix Market files"),
        ("scipy/fftpack", "old interface of scipy.fft"),
        ("scipy/odr", "orthogonal distance regression"),
        ("scipy/**/*.pyx", "interface for code that is compiled against SciPy"),
        ("scipy/**/*.pxd", "interface for code that is compiled against SciPy"),
        ("scipy/**/*.h", "headers, to compile against SciPy"),
    ),
    "numpy": (
        ("numpy/**/tests", "tests"),
        ("numpy/**/*.pxd", "interface for code that is compiled against NumPy"),
        ("numpy/distutils", "build tool"),
        ("numpy/_core/include", "headers, to compile against NumPy"),
        ("numpy/_core/lib/*.a", "libraries, to compile against NumPy"),
        ("numpy/random/lib", "libraries, to compile against NumPy"),
        ("numpy/_core/_simd.*.so", "tests of vector instructions"),
    ),
    "nibabel": (("nibabel/**/tests", "tests and their images"),),
    "h5py": (("h5py/tests", "tests"),),
    "sqlalchemy": (
        ("sqlalchemy/testing", "tests of database drivers"),
        ("sqlalchemy/dialects/mssql", "driver of another database than SQLite"),
        ("sqlalchemy/dialects/mysql", "driver of another database than SQLite"),
        ("sqlalchemy/dialects/oracle", "driver of another database than SQLite"),
        ("sqlalchemy/dialects/postgresql", "driver of another database than SQLite"),
    ),
    "PIL": (
        ("PIL/_avif.*.so", "AVIF images"),
        ("pillow.libs/libavif-*", "AVIF images"),
        ("PIL/_webp.*.so", "WebP images"),
        ("pillow.libs/libwebp*", "WebP images"),
        ("PIL/_imagingcms.*.so", "profiles of colours"),
        ("pillow.libs/liblcms2-*", "profiles of colours"),
        ("PIL/_imagingft.*.so", "fonts"),
        ("pillow.libs/libfreetype-*", "fonts"),
        ("pillow.libs/libharfbuzz-*", "fonts"),
        ("pillow.libs/libpng16-*", "pictures in fonts"),
    ),
}

#: What no package needs when it runs: types for programs that check them, sources of what is compiled.
NOT_NEEDED_ANYWHERE = ("*.pyi", "*.c", "*.cc", "*.cpp", "*.cxx")

#: Modules that are imported and not used, by what they are for. An empty one takes the place of each.
EMPTIED: dict[str, str] = {
    "tensorflow/_api/v2/lite": "names of TensorFlow Lite",
    "tensorflow/_api/v2/compat/v1/lite": "names of TensorFlow Lite",
    "tensorflow/_api/v2/compat/v2/lite": "names of TensorFlow Lite",
    "tensorflow/python/profiler/internal/_pywrap_profiler_plugin": "profiles of programs on other machines",
}

#: Shared libraries that carry symbols for debuggers, by folder. Those in `*.libs` were edited when their wheels were
#: made, so that strip could damage them.
WITH_SYMBOLS = ("tensorflow", "sqlalchemy", "PIL", "yaml", "wrapt")


#: Packages whose source stays: our own, and one whose licence (MPL 2.0) asks for it.
WITH_SOURCE = ("bids_deepseg", "certifi")


def main(site: Path) -> int:
    """Make the environment small; return 1 if a pattern matches nothing on the processor it was measured on."""
    before = size_of(site)
    stale = []
    for package, rows in NOT_NEEDED.items():
        if not (site / package).exists():
            continue
        # All are looked up before any is removed: one may lie in another.
        found = {pattern: list(site.glob(pattern)) for pattern, _ in rows}
        stale += [pattern for pattern, paths in found.items() if not paths]
        for path in (path for paths in found.values() for path in paths):
            remove(path)
    for pattern in NOT_NEEDED_ANYWHERE:
        for path in list(site.rglob(pattern)):
            remove(path)
    stale += [module for module in EMPTIED if (site / "tensorflow").exists() and not empty(site / module)]
    for library in libraries(site):
        subprocess.run(["strip", "--strip-unneeded", library], check=True)
    link_twins(site)
    compile_all(site)
    shorten_lists(site)
    sys.stdout.write(f"lean: {before / 1e6:.0f} MB, of which {size_of(site) / 1e6:.0f} MB are left\n")
    for pattern in stale:
        sys.stderr.write(f"lean: nothing matches {pattern}; take it off the list in {Path(__file__).name}\n")
    # The wheels of other processors may lack some of it, such as the parts for Intel's graphics.
    return 1 if stale and platform.machine() == "x86_64" else 0


def libraries(site: Path) -> Iterator[Path]:
    """Yield the shared libraries that are stripped."""
    for package in WITH_SYMBOLS:
        yield from (path for path in (site / package).rglob("*.so*") if path.is_file() and not path.is_symlink())


def empty(module: Path) -> bool:
    """Put an empty module in place of a package, a module or a shared library; return whether there was one."""
    found = [path for path in (module, module.with_suffix(".py"), module.with_suffix(".so")) if path.exists()]
    for path in found:
        remove(path)
    if found:
        module.with_suffix(".py").write_text("")
    return bool(found)


def link_twins(site: Path) -> None:
    """Link to the libraries of NumPy from other packages that come with the very same ones."""
    for twin in (site / "numpy.libs").glob("*"):
        for path in site.glob(f"*.libs/{twin.name}"):
            if path != twin and filecmp.cmp(twin, path, shallow=False):
                path.unlink()
                path.symlink_to(os.path.relpath(twin, path.parent))


def shorten_lists(site: Path) -> None:
    """Take what is no longer there off the lists of files that packages come with."""
    for record in site.glob("*.dist-info/RECORD"):
        with record.open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.reader(stream) if row and (site / row[0]).exists()]
        with record.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)


def compile_all(site: Path) -> None:
    """Write the bytecode of every module, and remove the source of the packages of others.

    Bytecode beside a source is valid by what was compiled, not by times, which copying may change.
    """
    for folder in site.rglob("__pycache__"):
        shutil.rmtree(folder)
    for entry in site.iterdir():
        has_source = entry.name in WITH_SOURCE
        for source in [entry] if entry.suffix == ".py" else entry.rglob("*.py"):
            mode = PycInvalidationMode.UNCHECKED_HASH
            # Some packages carry templates and examples that are no valid Python.
            is_compiled = compileall.compile_file(source, quiet=2, legacy=not has_source, invalidation_mode=mode)
            if is_compiled and not has_source:
                source.unlink()


def remove(path: Path) -> None:
    """Remove a file or a folder; it may have gone with the folder around it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*"))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
