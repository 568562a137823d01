#!/usr/bin/env python3
"""Tests of check_switches.py on pieces of disassembly."""

import unittest

import check_switches

SWITCH = ["mov    0x0(%rsi),%rsp", "jmp    *0x10(%rsi)", "endbr64"]


def disassembly(*bodies):
    lines = ["", "Disassembly of section .text:", ""]
    for i, body in enumerate(bodies):
        lines.append(f"000000000000100{i} <f{i}(int)>:")
        lines += [f"    100{i}:\t{instruction}" for instruction in body]
        lines.append("")
    return lines


def check(*bodies):
    found = [(n, b) for n, b in check_switches.functions(disassembly(*bodies)) if check_switches.switches(b)]
    return len(found), [line for n, b in found for line in check_switches.violations(n, b)]


class CheckSwitches(unittest.TestCase):
    def test_a_function_without_a_switch_may_do_anything(self):
        self.assertEqual(check(["mov    %fs:0x0,%rax", "call   1030 <__errno_location@plt>", "ret"]), (0, []))

    def test_values_read_through_fs_are_fine(self):
        body = ["mov    %fs:(%rax),%rax", "mov    %fs:0x28,%rdx", *SWITCH, "mov    %fs:(%rax),%rax"]
        self.assertEqual(check(body), (1, []))

    def test_a_jump_without_a_landing_does_not_come_back(self):
        self.assertEqual(check(["mov    %fs:0x0,%rax", "jmp    *0x10(%rsi)", "nop"]), (0, []))

    def test_the_thread_pointer_is_found(self):
        for instruction in ["mov    %fs:0x0,%rbx", "add    %fs:0x0,%rbx", "rdfsbase %rbx"]:
            count, bad = check([instruction, *SWITCH])
            self.assertEqual((count, len(bad)), (1, 1), instruction)
            self.assertIn("f0(int)", bad[0])

    def test_calls_that_return_addresses_of_the_threads_are_found(self):
        for callee in ["__tls_get_addr@plt", "__errno_location@plt", "__cxa_get_globals", "__cxa_get_globals_fast@plt"]:
            self.assertEqual(len(check([f"call   1030 <{callee}>", *SWITCH])[1]), 1, callee)
        self.assertEqual(check(["call   1030 <__cxa_begin_catch@plt>", *SWITCH]), (1, []))

    def test_the_scheduling_loop_stays_on_its_thread(self):
        body = ["call   1030 <__errno_location@plt>", *SWITCH]
        for name in ["pirn::rt::worker_loop(pirn::rt::worker*)", "pirn::rt::(anonymous namespace)::execute(int)"]:
            self.assertEqual(list(check_switches.violations(name, body)), [])
        self.assertEqual(len(list(check_switches.violations("pirn::rt::park(int)", body))), 1)

    def test_each_function_is_looked_at(self):
        count, bad = check(SWITCH, ["ret"], ["mov    %fs:0x0,%rax", *SWITCH], ["mov    %fs:0x0,%rax"])
        self.assertEqual(count, 2)
        self.assertEqual(bad, ["f2(int): switches goroutines, and has: mov    %fs:0x0,%rax"])


if __name__ == "__main__":
    unittest.main()
