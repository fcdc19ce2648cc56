"""Digests that a leader of Apache's foretells wrongly (known-faults, J8): they stop no Zebu."""

import struct
import unittest

from mixed import MixedTest

from raw import CONTAINER, CREATE_CONTAINER, EPHEMERAL, RawClient, create_record, frame, string

CREATE, SET_DATA, DELETE = 1, 5, 2


def request(xid, opcode, body):
    return frame(struct.pack(">ii", xid, opcode) + body)


class Digests(MixedTest):
    def test_a_znode_of_another_kind_than_its_flag_says(self):
        ensemble = self.led_by_the_last("zebu", "zebu", "apache")
        client = RawClient(ensemble.leader().client_port, timeout_ms=30_000)
        self.addCleanup(client.close)
        batch = []

        def ask(opcode, body):
            batch.append(request(len(batch) + 1, opcode, body))

        # All on their way together, so that what is wrong in one digest goes on in the next.
        for number in range(20):
            plain, container, brief = f"/plain{number}", f"/container{number}", f"/brief{number}"
            ask(CREATE, create_record(plain, CONTAINER))
            ask(CREATE_CONTAINER, create_record(container, 0))
            ask(CREATE_CONTAINER, create_record(brief, EPHEMERAL))
            ask(CREATE, create_record(f"/right{number}", 0))
            ask(SET_DATA, string(plain) + struct.pack(">i", 1) + b"x" + struct.pack(">i", -1))
            ask(DELETE, string(brief) + struct.pack(">i", -1))
        client.socket.sendall(b"".join(batch))
        errors = [client.read_answer()[1] for _ in batch]
        self.assertEqual(set(errors), {0})
        ensemble.all_serve()
        told = ensemble.log_lines("foretold a wrong digest")
        self.assertTrue(told, "no digest was wrong: there was nothing to bear")
        self.same_trees()


if __name__ == "__main__":
    unittest.main()
