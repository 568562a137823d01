#!/usr/bin/env python3
"""What check_layers.py lets pass and what it reports, on small made-up trees."""

import pathlib
import tempfile
import unittest

import check_layers


class CheckLayers(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = pathlib.Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return list(check_layers.violations(check_layers.Tree(root)))

    def test_own_and_lower_layers_pass(self):
        files = {
            "src/os/futex.h": "#include <atomic>\n",
            "src/g/park.cpp": '#include "os/futex.h"\n#include "g/park.h"\n',
            "src/g/park.h": "// Parks. Layer: g.\n",
            "tests/g/park_test.cpp": '#include "g/park.h"\n#include <gtest/gtest.h>\n#include "support/help.h"\n',
            "tests/support/help.h": "",
            "lab/main.cpp": '#include "support/x.h"\n',
            "lab/support/x.h": "#include <pirn/go.h>\n",
            "include/pirn/go.h": "#pragma once\n",
        }
        self.assertEqual(self.check(files), [])

    def test_higher_layer_is_reported(self):
        files = {"src/os/futex.cpp": '\n#include "g/park.h"\n', "src/g/park.h": ""}
        self.assertEqual(self.check(files), ["src/os/futex.cpp:2: layer 'os' includes g/park.h of layer 'g'"])

    def test_neighbours_in_a_row_are_reported(self):
        files = {"src/timer/heap.cpp": '#include "poll/poll.h"\n', "src/poll/poll.h": ""}
        self.assertEqual(self.check(files), ["src/timer/heap.cpp:1: layer 'timer' includes poll/poll.h of layer 'poll'"])

    def test_public_header_with_a_layer_counts_as_that_layer(self):
        files = {"src/g/a.cpp": "#include <pirn/detail/x.h>\n", "include/pirn/detail/x.h": "// A thing.\n// Layer: sched\n"}
        self.assertEqual(self.check(files), ["src/g/a.cpp:1: layer 'g' includes pirn/detail/x.h of layer 'sched'"])

    def test_public_header_without_a_layer_is_looked_through(self):
        files = {
            "src/g/a.cpp": "#include <pirn/all.h>\n",
            "include/pirn/all.h": '#include "pirn/more.h"\n',
            "include/pirn/more.h": "#include <pirn/all.h>\n#include <pirn/detail/x.h>\n",
            "include/pirn/detail/x.h": "// Layer: sync\n",
        }
        expected = "src/g/a.cpp:1: layer 'g' includes pirn/all.h of layer 'sync' (through include/pirn/detail/x.h)"
        self.assertEqual(self.check(files), [expected])

    def test_public_header_with_private_include_is_reported(self):
        files = {"include/pirn/go.h": '#include "os/futex.h"\n', "src/os/futex.h": ""}
        self.assertEqual(self.check(files), ["include/pirn/go.h:1: a public header includes the private os/futex.h"])

    def test_missing_file_wrong_head_and_unknown_folder_are_reported(self):
        files = {"src/os/a.h": "// Layer: g\n", "src/misc/b.h": "", "src/os/c.cpp": '#include "os/gone.h"\n'}
        self.assertEqual(
            sorted(self.check(files)),
            [
                "src/misc/b.h: unknown layer 'misc'",
                "src/os/a.h: says it is of layer 'g' but stands in 'os'",
                "src/os/c.cpp:1: no such file of ours: os/gone.h",
            ],
        )


if __name__ == "__main__":
    unittest.main()
