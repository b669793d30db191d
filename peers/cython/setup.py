"""Builds the extension module flatnet_cython."""

from Cython.Build import cythonize
from setuptools import Extension, setup

extension = Extension("flatnet_cython", ["flatnet_cython.pyx"])
setup(name="flatnet-cython", version="2.0.0", ext_modules=cythonize([extension], quiet=True))
