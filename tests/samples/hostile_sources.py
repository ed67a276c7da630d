# ruff: noqa: E501 - a sample stands on one line where it can
"""Python sources that do harm, each in its own way, with payloads that only touch a file.

Nothing here is ever compiled or run: they are texts that the scanner reads.
"""

from __future__ import annotations

import base64

_SYSTEM = base64.b64encode(b"__import__('os').system('touch /tmp/x')").decode()
_REVERSED = "system"[::-1]

ON_IMPORT: dict[str, str] = {
    "plain": "import os\nos.system('touch /tmp/x')",
    "alias": "import os as numpy\nnumpy.system('touch /tmp/x')",
    "from import": "from os import system\nsystem('touch /tmp/x')",
    "from import as": "from os import popen as load\nload('touch /tmp/x')",
    "star": "from os import *\nsystem('touch /tmp/x')",
    "star of subprocess": "from subprocess import *\nrun(['touch', '/tmp/x'])",
    "posix": "import posix\nposix.system('touch /tmp/x')",
    "subprocess run": "import subprocess\nsubprocess.run(['touch', '/tmp/x'])",
    "Popen as a context": "import subprocess as s\nwith s.Popen('touch /tmp/x', shell=True):\n    1",
    "pty": "import pty\npty.spawn(['touch', '/tmp/x'])",
    "reference only": "import os\nHOOK = {'load': os.system}",
    "map": "import os\nlist(map(os.system, ['touch /tmp/x']))",
    "lambda": "import os\nf = lambda: os.system('touch /tmp/x')\nf()",
    "class body": "import os\nclass Model:\n    ready = os.system('touch /tmp/x')",
    "default argument": "import os\ndef f(x=os.system('touch /tmp/x')):\n    return x",
    "decorator": "import os\n@os.system\ndef touch(): ...",
    "decorator factory": "import os\n@(lambda f: os.system('touch /tmp/x'))\nclass A: ...",
    "metaclass": "import os\nclass M(type):\n    def __new__(c, *a):\n        os.system('touch x')\n"
    "        return type.__new__(c, *a)\nclass A(metaclass=M): ...",
    "class keyword": "import os\nclass A(object, x=os.system('touch /tmp/x')): ...",
    "init subclass": "import os\nclass A:\n    def __init_subclass__(cls):\n        os.popen('touch x')",
    "annotation": "import os\nx: os.system('touch /tmp/x') = 1",
    "comprehension": "import os\n[f('touch /tmp/x') for f in [os.system]]",
    "generator": "import os\nany(g('touch /tmp/x') for g in (os.system,))",
    "walrus": "import os\nif (f := os.system)('touch /tmp/x'):\n    raise SystemExit",
    "try": "try:\n    import nothing\nexcept ImportError:\n    import os\n    os.system('touch /tmp/x')",
    "finally": "import os\ntry:\n    1\nfinally:\n    os.system('touch /tmp/x')",
    "with": "import os\nwith os.popen('touch /tmp/x') as f:\n    f.read()",
    "match": "import os\nmatch os:\n    case o:\n        o.system('touch /tmp/x')",
    "assert": "import os\nassert os.system('touch /tmp/x') == 0",
    "f-string": "import os\nx = f\"{os.system('touch /tmp/x')}\"",
    "conditional": "import os\n0 if os.system('touch /tmp/x') else 1",
    "tuple": "import os, sys\na, b = os.system, sys.path\na('touch /tmp/x')",
    "two aliases": "import os\na = os\nb = a\nb.system('touch /tmp/x')",
    "alias after use": "def f():\n    return g('touch /tmp/x')\nimport os\ng = os.system\nf()",
    "global": "def f():\n    global run\n    import os\n    run = os.system\nf()\nrun('touch /tmp/x')",
    "getattr": "import os\ngetattr(os, 'system')('touch /tmp/x')",
    "getattr joined": "import os\ngetattr(os, 'sys' + 'tem')('touch /tmp/x')",
    "getattr formatted": "import os\ngetattr(os, '{}{}'.format('sys', 'tem'))('touch /tmp/x')",
    "getattr percent": "import os\ngetattr(os, '%stem' % 'sys')('touch /tmp/x')",
    "getattr f-string": "import os\na = 'sys'\ngetattr(os, f'{a}tem')('touch /tmp/x')",
    "getattr reversed": f"import os\ngetattr(os, '{_REVERSED}'[::-1])('touch /tmp/x')",
    "getattr chr": "import os\ngetattr(os, ''.join(map(chr, [115,121,115,116,101,109])))('touch x')",
    "getattr chr in a list": "import os\nn = ''.join([chr(c) for c in (115,121)])\ngetattr(os, n)('x')",
    "getattr bytes": "import os\ngetattr(os, bytes([115,121,115,116,101,109]).decode())('touch x')",
    "getattr replaced": "import os\ngetattr(os, 'sXstem'.replace('X', 'y'))('touch /tmp/x')",
    "getattr of unknown": "from . import tools\ngetattr(tools, 'system')('touch /tmp/x')",
    "import call": "__import__('os').system('touch /tmp/x')",
    "import call joined": "__import__('o' + 's').popen('touch /tmp/x')",
    "import call from base64": f"__import__('base64').b64decode('{_SYSTEM}')\n"
    f"exec(__import__('base64').b64decode('{_SYSTEM}'))",
    "import hidden name": "import codecs\n__import__(codecs.decode('fhocebprff', 'rot13')).run('x')",
    "importlib": "import importlib\nimportlib.import_module('subprocess').call(['touch', 'x'])",
    "importlib from": "from importlib import import_module as i\ni('os').system('touch /tmp/x')",
    "dict": "import os\nos.__dict__['system']('touch /tmp/x')",
    "vars": "import os\nvars(os)['sys' + 'tem']('touch /tmp/x')",
    "sys.modules": "import sys\nsys.modules['os'].system('touch /tmp/x')",
    "sys.modules get": "import sys\nsys.modules.get('posix').system('touch /tmp/x')",
    "through another module": "import tempfile\ntempfile._os.system('touch /tmp/x')",
    "through torch": "import torch\ntorch.os.system('touch /tmp/x')",
    "through an attribute": "import random\nrandom._os.execv('/bin/true', ['x'])",
    "builtins": "import builtins\nbuiltins.exec('import os')",
    "builtins item": "__builtins__['ev' + 'al']('1')",
    "builtins attribute": "__builtins__.__dict__['exec']('x')",
    "globals": "globals()['__builtins__'].eval('1+' + input())",
    "eval": "eval(\"__import__('os').system('touch /tmp/x')\")",
    "exec": "exec('import os\\nos.system(\"touch /tmp/x\")')",
    "exec shadowed": "exec_ = exec\nexec_(open('x').read())",
    "shadowed elsewhere": "if 0:\n    eval = None\neval(open('x').read())",
    "compile": "exec(compile(open('payload.txt').read(), 'x', 'exec'))",
    "subclasses": "().__class__.__base__.__subclasses__()[132].__init__.__globals__['system']('x')",
    "globals of a function": "import json\njson.loads.__globals__['sys'].modules['os'].system('x')",
    "frames": "import sys\nsys._getframe(0).f_builtins['__import__']('os').system('touch /tmp/x')",
    "attrgetter": "import operator, os\noperator.attrgetter('system')(os)('touch /tmp/x')",
    "methodcaller": "import operator, os\noperator.methodcaller('system', 'touch /tmp/x')(os)",
    "partial": "import functools, os\nfunctools.partial(os.system, 'touch /tmp/x')()",
    "object.__getattribute__": "import os\nobject.__getattribute__(os, 'system')('touch /tmp/x')",
    "module.__getattribute__": "import os\nos.__getattribute__('system')('touch /tmp/x')",
    "type": "import os\ntype('A', (), {'f': os.system})",
    "thread": "import os, threading\nthreading.Thread(target=os.system, args=('x',)).start()",
    "atexit": "import atexit, os\natexit.register(os.system, 'touch /tmp/x')",
    "ctypes": "import ctypes\nctypes.CDLL(None).system(b'touch /tmp/x')",
    "cffi": "from cffi import FFI\nFFI().dlopen(None)",
    "torch extension": "from torch.utils.cpp_extension import load_inline\nload_inline('x', 'int x;')",
    "tensorflow library": "import tensorflow as tf\ntf.load_op_library('./x.so')",
    "torch library": "import torch\ntorch.ops.load_library('x.so')",
    "pickle of bytes": "import pickle\npickle.loads(b'cos\\nsystem\\n(S\"touch x\"\\ntR.')",
    "pickle of base64": "import pickle, base64\npickle.loads(base64.b64decode('gASVHgA='))",
    "marshal": "import marshal\nexec(marshal.loads(b'c'))",
    "socket": "import socket\ns = socket.socket()\ns.connect(('127.0.0.1', 9))",
    "urlopen": "from urllib.request import urlopen\nexec(urlopen('http://127.0.0.1/x').read())",
    "urlretrieve": "import urllib.request\nurllib.request.urlretrieve('http://127.0.0.1/x', 'x')",
    "requests": "import requests\nrequests.post('http://127.0.0.1', json={'a': 1})",
    "http.client": "import http.client\nhttp.client.HTTPConnection('127.0.0.1').request('GET', '/')",
    "ftp": "import ftplib\nftplib.FTP('127.0.0.1')",
    "smtp": "import smtplib\nsmtplib.SMTP('127.0.0.1')",
    "paramiko": "import paramiko\nparamiko.SSHClient().connect('127.0.0.1')",
    "pip": "import pip\npip.main(['install', 'x'])",
    "pip internal": "from pip._internal.cli.main import main\nmain(['install', 'x'])",
    "write": "open('/tmp/x', 'w').write('x')",
    "write by pathlib": "from pathlib import Path\nPath('/tmp/x').write_text('x')",
    "touch": "import pathlib\npathlib.Path('/tmp/x').touch()",
    "append to a profile": "import os\nopen(os.path.expanduser('~/.bashrc'), 'a').write('x')",
    "remove": "import os\nos.remove('model.pkl')",
    "rmtree": "import shutil\nshutil.rmtree('/tmp/x')",
    "ssh key": "k = open('/root/.ssh/id_rsa').read()",
    "aws": "from pathlib import Path\nk = (Path.home() / '.aws/credentials').read_text()",
    "preload": "import os\nos.environ['LD_PRELOAD'] = '/tmp/x.so'",
    "exchanged function": "import json\njson.loads = lambda *a: None",
    "exchanged module": "import sys, types\nsys.modules['json'] = types.SimpleNamespace()",
    "setattr": "import builtins\nsetattr(builtins, 'open', None)",
    "meta path": "import sys\nsys.meta_path.insert(0, object())",
    "trace": "import sys\nsys.settrace(print)",
    "hub code": "import torch\ntorch.hub.load('someone/repo', 'model')",
    "remote code": "from transformers import AutoModel\nAutoModel.from_pretrained('a/b', "
    "trust_remote_code=True)",
    "loaded from a path": "import importlib.util as u\ns = u.spec_from_file_location('x', 'x.txt')\n"
    "m = u.module_from_spec(s)\ns.loader.exec_module(m)",
    "runpy": "import runpy\nrunpy.run_path('x.txt')",
    "webbrowser": "import webbrowser\nwebbrowser.open('http://127.0.0.1')",
    "setup.py": "from setuptools import setup\nfrom setuptools.command.install import install\n"
    "import os\nclass I(install):\n    def run(self):\n        os.system('touch x')\n"
    "        install.run(self)\nsetup(name='x', cmdclass={'install': I})",
    "setup.py with a download": "import setuptools, urllib.request\n"
    "exec(urllib.request.urlopen('http://127.0.0.1/x').read())\nsetuptools.setup(name='requestes')",
    "module handed on": "import os\nfrom . import tools\ntools.use(os)",
    "module kept for others": "import subprocess as sp",
    "module of a neighbour": "from .tools import sp\nsp.run('touch /tmp/x', shell=True)",
    "module getattr": "import os\ndef __getattr__(name):\n    return os.system(name)",
    "fork": "import os\nos.fork()",
    "kill": "import os, signal\nos.kill(1, signal.SIGTERM)",
    "asyncio": "import asyncio\nasyncio.run(asyncio.create_subprocess_shell('touch x'))",
    "multiprocessing": "import multiprocessing.connection as c\nc.Client(('127.0.0.1', 1))",
    "timeit": "import timeit\ntimeit.timeit('import os')",
    "code": "import code\ncode.interact()",
    "IPython": "get_ipython().system('touch /tmp/x')",
    "built name on unknown": "import base64\nfrom . import t\ngetattr(t, base64.b64decode(t.n).decode())()",
}
"""Sources that do it as soon as they are imported."""

IN_FUNCTIONS: dict[str, str] = {
    "load_context": "import os\nclass M:\n    def load_context(self, context):\n"
    "        os.system('touch /tmp/x')",
    "predict": "class M:\n    def predict(self, context, x):\n        import subprocess\n"
    "        subprocess.check_output(['touch', '/tmp/x'])\n        return x",
    "predict writes": "class M:\n    def predict(self, context, x):\n"
    "        with open('out.txt', 'w') as f:\n            f.write(str(x))\n        return x",
    "predict sends": "import requests\nclass M:\n    def predict(self, context, x):\n"
    "        requests.post('http://127.0.0.1/', data=str(x))\n        return x",
    "helper of predict": "import urllib.request\ndef helper(x):\n"
    "    urllib.request.urlopen('http://127.0.0.1/' + str(x))\nclass M:\n"
    "    def predict(self, context, x):\n        helper(x)\n        return x",
    "reduce": "import os\nclass P:\n    def __reduce__(self):\n        return os.system, ('touch x',)",
    "setstate": "import os\nclass P:\n    def __setstate__(self, s):\n        os.popen(s)",
    "del": "class P:\n    def __del__(self):\n        __import__('os').system('touch /tmp/x')",
    "forward": "import os\nfrom torch import nn\nclass N(nn.Module):\n    def forward(self, x):\n"
    "        os.system('touch /tmp/x')\n        return x",
    "triton": "import os\nclass TritonPythonModel:\n    def initialize(self, args):\n"
    "        os.system('touch /tmp/x')",
    "pyfunc": "import os\ndef _load_pyfunc(path):\n    os.system('touch ' + path)",
    "hubconf": "dependencies = ['torch']\ndef model(pretrained=False):\n    import os\n"
    "    os.system('touch /tmp/x')",
    "nested": "def load():\n    def inner():\n        import os\n        return os.system\n    inner()('x')",
    "eval of an argument": "def predict(x):\n    return eval(x)",
    "unpickled argument": "import pickle\ndef predict(x):\n    return pickle.loads(x)",
}
"""Sources that do it when a model is loaded or used."""
