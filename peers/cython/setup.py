"""Builds the extension module flatnet_cython."""

from Cython.Build import cythonize
from setuptools import Extension, setup

# The compiler may use wide registers, but neither fuse nor reorder: the losses stay Python's to the last bit.
flags = ["-O3", "-march=native", "-ffp-contract=off"]
extension = Extension("flatnet_cython", ["flatnet_cython.pyx"], extra_compile_args=flags)
setup(name="flatnet-cython", version="1.0.0", ext_modules=cythonize([extension], quiet=True))
