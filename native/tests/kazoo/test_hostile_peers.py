"""Peers that break every rule, on the ports that servers have for each other: each is refused for a reason that the log
names, and the ensemble goes on with all that it had.

Nobody has to show who it is on these ports, so a liar can cost a connection or an election. Never data."""

import itertools
import struct
import time

import peers
from ensemble import Ensemble, EnsembleTest, wait_for
from peers import (
    ACK, ACKEPOCH, COMMIT, DIFF, FOLLOWERINFO, HIGHEST_EPOCH, INFORM, LEADERINFO, LOOKING, LEADING, NEWLEADER, OBSERVERINFO,
    PING, PROPOSAL, REVALIDATE, SNAP, SYNC, TRUNC, UPTODATE, Candidate, Connection, ack_epoch, follower_info, frame, hello,
    info, leader_info, notification, observer_info, packet, request, set_data_txn, start_of,
)

# Servers 1 to 3 vote, 4 observes and never runs, 9 is nobody.
OBSERVER, NOBODY = 4, 9
# How much a server may grow by all of this.
GROWTH_KIB = 128 << 10
GREETING = "expected one FOLLOWERINFO or OBSERVERINFO"


class Voters(Ensemble):
    """Only those who vote ever run."""

    def leader(self):
        """The one server that leads, with another one that follows."""

        def found():
            modes = {server: server.mode() for server in self.servers.values() if server.process is not None}
            leaders = [server for server, mode in modes.items() if mode == "leader"]
            return leaders[0] if len(leaders) == 1 and "follower" in modes.values() else None

        return wait_for("no leader with a majority", found)


class HostileTest(EnsembleTest):
    def begin(self):
        self.ensemble = Voters(self._testMethodName, size=4, observers=1)
        self.addCleanup(self.ensemble.close)
        for server_id in (1, 2, 3):
            self.ensemble[server_id].start()
        self.ensemble.all_serve()
        self.client = self.ensemble.client(*self.voters(), timeout=30.0)
        self.client.create("/kept")
        self.kept = {}
        for _ in range(20):
            self.write()

    def voters(self):
        return [self.ensemble[server_id] for server_id in (1, 2, 3)]

    def write(self):
        """One more write, which must be done and stay."""
        data = b"%d" % len(self.kept)
        path = self.client.retry(self.client.create, f"/kept/{len(self.kept):04d}", data)
        self.kept[path] = data

    def logged(self, server, text, known):
        """Waits until the server's log says so, behind what was `known` of it."""
        wait_for(f"server {server.id} says {text!r}", lambda: text in server.log.read_text()[known:], patience=20)

    def check_all(self):
        """Everything is there, and the same on all servers."""
        self.ensemble.all_serve()
        trees = []
        for server in self.voters():
            reader = self.ensemble.client(server)
            reader.sync("/")
            names = reader.get_children("/kept")
            trees.append({f"/kept/{name}": (*reader.get(f"/kept/{name}"),) for name in names})
            self.assertNotEqual(reader.get("/zookeeper")[0], b"forged")
            reader.stop()
        for tree in trees:
            self.assertEqual(tree, trees[0])
            self.assertEqual({path: data for path, (data, _) in tree.items()}, self.kept)
        self.assertEqual(self.ensemble.log_lines("panicked"), [])


class HostileLearners(HostileTest):
    """At the quorum port of the leader."""

    def setUp(self):
        self.begin()
        self.sizes = {server.id: server.resident_kib() for server in self.voters()}

    def tearDown(self):
        self.check_all()
        for server in self.voters():
            if server.id in self.sizes and server.alive():
                self.assertLess(server.resident_kib() - self.sizes[server.id], GROWTH_KIB, f"server {server.id}")

    def epoch(self):
        return self.ensemble.leader().zxid() >> 32

    def try_each(self, cases):
        """Each case: its name, what is sent (bytes, or a function of a connection), and why it is refused."""
        for name, sent, why in cases:
            with self.subTest(name):
                leader = self.ensemble.leader()
                self.write()
                known = len(leader.log.read_text())
                connection = Connection.to(leader.quorum_port)
                self.addCleanup(connection.close)
                if callable(sent):
                    sent(connection)
                else:
                    connection.send(sent)
                self.logged(leader, why, known)
                self.assertTrue(connection.ended(), "it is let be")
                connection.close()
                self.write()

    def test_before_anything_is_agreed(self):
        epoch, leader = self.epoch(), self.ensemble.leader()
        absent = OBSERVER
        first = [(f"type {kind} first", packet(kind, 0, bytes(20)), GREETING)
                 for kind in (PROPOSAL, ACK, COMMIT, SYNC, INFORM, NEWLEADER, UPTODATE, DIFF, TRUNC, LEADERINFO, ACKEPOCH, 99)]
        self.try_each([
            *first,
            ("SNAP first", packet(SNAP, 0), "no SNAP from a learner"),
            ("a negative length", packet(FOLLOWERINFO, 0, length=-2), "packet's data"),
            ("a huge length", packet(FOLLOWERINFO, 0, length=0x7FFFFFFF), "packet's data"),
            ("negative authinfo", packet(FOLLOWERINFO, 0, info(absent), auth=-2), "packet's authinfo"),
            ("huge authinfo", packet(FOLLOWERINFO, 0, info(absent), auth=0x7FFFFFFF) + b"\x7f" * 4, "packet's authinfo"),
            ("no data", packet(FOLLOWERINFO, 0), "LearnerInfo"),
            ("a byte short", packet(FOLLOWERINFO, 0, info(absent)[:11]), "LearnerInfo"),
            ("an end within a packet", lambda c: c.send(follower_info(1)[:-1]).socket.shutdown(1), "in the middle of a packet"),
            ("the leader's own id", follower_info(leader.id), f"claims server id {leader.id}, which is ours"),
            ("nobody's id", follower_info(NOBODY), "claims server id 9, which is not in the configuration"),
            ("a negative id", follower_info(-1), "which is not in the configuration"),
            ("the largest id", follower_info(0x7FFFFFFFFFFFFFFF), "which is not in the configuration"),
            ("an observer's id that follows", follower_info(OBSERVER), "does not join in the role"),
            ("a voter's id that observes", observer_info(1 if leader.id != 1 else 2), "does not join in the role"),
            ("a newer configuration", packet(OBSERVERINFO, 0, info(absent, config_version=1 << 40)), "NewerConfig"),
            ("the last epoch", observer_info(absent, HIGHEST_EPOCH), "expected an epoch below"),
            ("an epoch that nobody can have seen", observer_info(absent, epoch + (1 << 25)), "expected an epoch below"),
            ("greeted twice", observer_info(absent) * 2, "got FOLLOWERINFO, expected"),
            ("ACKEPOCH without data", observer_info(absent) + packet(ACKEPOCH, 0), "ACKEPOCH's data"),
            ("ACK before ACKEPOCH", observer_info(absent) + packet(ACK, start_of(epoch)), "got ACK, expected ACKEPOCH"),
            ("REQUEST before ACKEPOCH", observer_info(absent) + request(0, 0, 1), "got REQUEST, expected ACKEPOCH"),
        ])

    def joins(self, leader, server_id=None, observer=False):
        """A connection on which everything is as it should be, up to UPTODATE; and the epoch."""
        connection = Connection.to(leader.quorum_port)
        self.addCleanup(connection.close)
        self.join(connection, leader, server_id, observer)
        return connection

    def join(self, connection, leader, server_id, observer=False, upto=UPTODATE):
        connection.send(observer_info(server_id) if observer else follower_info(server_id))
        zxid, _ = connection.until(LEADERINFO)
        connection.send(ack_epoch(leader.zxid()))
        if upto == NEWLEADER:
            connection.until(NEWLEADER)
            return zxid
        connection.until(NEWLEADER)
        connection.send(packet(ACK, zxid))
        connection.until(UPTODATE)
        connection.send(packet(ACK, zxid))
        return zxid

    def test_after_a_faultless_beginning(self):
        """As a follower that is down; the other two are a quorum."""
        absent = self.ensemble.followers()[0]
        absent.stop()
        del self.sizes[absent.id]
        leader = self.ensemble.leader()
        epoch = leader.zxid() >> 32

        def waiting(*sent):
            """Sent when NEWLEADER has come."""
            def case(connection):
                self.join(connection, leader, absent.id, upto=NEWLEADER)
                connection.send(*sent)

            return case

        def live(*sent):
            """Sent when all is agreed."""
            def case(connection):
                self.join(connection, leader, absent.id)
                connection.send(*sent)

            return case

        other = "ACK of another zxid than NEWLEADER's"
        last = leader.zxid() + 1_000_000
        self.try_each([
            ("ACK of an old NEWLEADER", waiting(packet(ACK, start_of(epoch - 1))), other),
            ("ACK of a NEWLEADER to come", waiting(packet(ACK, start_of(epoch + 1))), other),
            ("ACK of a transaction before NEWLEADER's", waiting(packet(ACK, start_of(epoch) + 1)), other),
            ("REQUEST before UPTODATE", waiting(request(0, 0, 1)), "got REQUEST, expected ACK of NEWLEADER"),
            ("ACK of what was never proposed", live(packet(ACK, last)), "got ACK of"),
            ("ACK of an epoch to come", live(packet(ACK, start_of(epoch + 1) + 1)), "got ACK of"),
            ("greets again", live(follower_info(absent.id)), "got FOLLOWERINFO, expected ACK"),
            ("agrees again", live(ack_epoch(0)), "got ACKEPOCH, expected ACK"),
            ("PROPOSAL of its own", live(packet(PROPOSAL, last, set_data_txn(last))), "got PROPOSAL, expected ACK"),
            ("COMMIT of its own", live(packet(COMMIT, last)), "got COMMIT, expected ACK"),
            ("INFORM of its own", live(packet(INFORM, last, set_data_txn(last))), "got INFORM, expected ACK"),
            ("LEADERINFO of its own", live(leader_info(epoch + 1)), "got LEADERINFO, expected ACK"),
            ("NEWLEADER of its own", live(packet(NEWLEADER, start_of(epoch + 1))), "got NEWLEADER, expected ACK"),
            ("UPTODATE of its own", live(packet(UPTODATE)), "got UPTODATE, expected ACK"),
            ("SNAP of its own", live(packet(SNAP, last)), "no SNAP from a learner"),
            ("half a session in PING", live(packet(PING, 0, bytes(5))), "PING's"),
            ("half a REVALIDATE", live(packet(REVALIDATE, -1, bytes(11))), "REVALIDATE's"),
            ("half a REQUEST", live(packet(peers.REQUEST, -1, bytes(15))), "REQUEST's"),
            ("a REQUEST without data", live(packet(peers.REQUEST)), "REQUEST's data"),
            ("a huge packet later on", live(packet(PING, 0, length=0x7FFFFFFF)), "packet's data"),
        ])
        absent.start()
        self.ensemble.all_serve()

    def test_what_is_no_fault_changes_nothing(self):
        """Apache's servers may send these, or take no notice of them."""
        absent = self.ensemble.followers()[0]
        absent.stop()
        del self.sizes[absent.id]
        leader = self.ensemble.leader()
        connection = self.joins(leader, absent.id)
        old = [packet(ACK, zxid) for zxid in range(leader.zxid() - 15, leader.zxid() + 1)]
        connection.send(*old, *reversed(old), *old, packet(99, 0, b"?"))
        # Sessions that nobody has, and one that a client has elsewhere: that one goes on.
        session, _ = self.client.client_id
        nobodys = 0x7A7A7A7A
        connection.send(packet(REVALIDATE, -1, struct.pack(">qi", nobodys, 4000)))
        self.assertEqual(connection.until(REVALIDATE)[1], struct.pack(">q?", nobodys, False))
        connection.send(packet(REVALIDATE, -1, struct.pack(">qi", session, 4000)))
        self.assertEqual(connection.until(REVALIDATE)[1], struct.pack(">q?", session, True))
        self.write()
        self.assertEqual(self.client.client_id[0], session)
        # Requests that make no sense, for sessions of all kinds.
        for cxid, (whose, opcode) in enumerate(itertools.product(
            (0, -1, nobodys), (1, 2, 5, 9, 13, 14, 16, 21, 104, 0, -1, -10, -11, 999, -0x80000000)
        )):
            for body in (b"", b"\x7f\xff\xff\xff", bytes(3), b"\xff" * 60):
                connection.send(request(whose, cxid, opcode, body))
        self.write()
        self.assertIs(leader, self.ensemble.leader())
        connection.close()
        absent.start()
        self.ensemble.all_serve()

    def test_in_the_name_of_one_that_lives(self):
        """The follower loses its connection, finds the leader again, and all goes on."""
        for _ in range(3):
            follower, leader = self.ensemble.followers()[0], self.ensemble.leader()
            liar = Connection.to(leader.quorum_port)
            try:
                epoch = self.join(liar, leader, follower.id) >> 32
                # It acknowledges what it does not have.
                liar.send(*(packet(ACK, zxid) for zxid in range(start_of(epoch) + 1, leader.zxid() + 1)))
            except EOFError:
                # The honest one was back before.
                pass
            self.write()
            liar.close()
            self.ensemble.all_serve()
            self.write()

    def test_a_promise_of_an_epoch_to_come_costs_an_election_and_no_more(self):
        for ahead in (1, 1000):
            leader, epoch = self.ensemble.leader(), self.epoch()
            follower = self.ensemble.followers()[0]
            liar = Connection.to(leader.quorum_port)
            self.addCleanup(liar.close)
            liar.send(follower_info(follower.id, epoch + ahead))
            wait_for("a new epoch", lambda epoch=epoch: self.epoch() > epoch)
            self.write()

    def test_those_who_say_nothing_or_hardly_anything(self):
        """More of them than there is room for, at every port; one server has to come back in between."""
        ports = [port for server in self.voters() for port in (server.quorum_port, server.election_port)]
        silent = [Connection.to(port) for port in ports for _ in range(40)]
        slow = [(Connection.to(port), iter(hello(3) if port in ports[1::2] else follower_info(3))) for port in ports]
        for connection in [*silent, *(connection for connection, _ in slow)]:
            self.addCleanup(connection.close)
        absent = self.ensemble.followers()[0]
        del self.sizes[absent.id]
        absent.kill()
        absent.start()
        for _ in range(8):
            for connection, rest in slow:
                connection.send(bytes(itertools.islice(rest, 1)))
            time.sleep(0.5)
            self.write()
        self.ensemble.all_serve()


class HostileVoters(HostileTest):
    """At the election ports."""

    def refused(self, server, sent, why):
        known = len(server.log.read_text())
        connection = Connection.to(server.election_port).send(sent)
        self.addCleanup(connection.close)
        if why:
            self.logged(server, why, known)
            self.assertTrue(connection.ended(), "it is let be")
        connection.close()

    def test_who_calls(self):
        self.begin()
        for server in self.voters():
            for name, sent, why in [
                ("its own id", hello(server.id), "which is this server"),
                ("nobody's id", hello(NOBODY), "which zoo.cfg does not list"),
                ("an observer without id", hello(-1), "which zoo.cfg does not list"),
                ("a length of nothing", hello(3, b""), "refuses"),
                ("a negative length", hello(3, length=-1), "refuses"),
                ("a huge length", hello(3, length=0x7FFFFFFF), "refuses"),
                ("another protocol", struct.pack(">qq", -1, 3), "refuses"),
                ("an end in the middle", hello(3)[:10], None),
            ]:
                with self.subTest(name, server=server.id):
                    self.refused(server, sent, why)
        self.write()
        self.check_all()

    def forgeries(self, as_id):
        """Notifications that no honest server sends."""
        huge = 0x7FFFFFFFFFFFFFFF
        for state in range(4):
            yield notification(state, as_id, huge, huge, HIGHEST_EPOCH)
            yield notification(state, NOBODY, huge, huge, HIGHEST_EPOCH)
            yield notification(state, 1, huge, 3, huge)
            yield notification(state, as_id, -huge - 1, -huge - 1, -huge - 1)
        yield notification(7, as_id, 0, 1, 0)
        yield notification(-1, as_id, 0, 1, 0)
        yield notification(LOOKING, as_id, 0, 1, 0, config=b"version=zz")
        yield notification(LOOKING, as_id, 0, 1, 0, config=b"\xff\xfe\xfd")
        yield notification(LOOKING, as_id, 0, 1, 0, length=-5)
        yield notification(LOOKING, as_id, 0, 1, 0, length=0x7FFFFFFF)
        yield frame(bytes(27))
        yield frame(bytes(42))

    def test_forged_votes_while_a_leader_is_in_office_and_while_one_is_sought(self):
        self.begin()
        for wanted in (False, True):
            leader = self.ensemble.leader()
            if wanted:
                leader.kill()
            for server in self.voters():
                if server.process is None:
                    continue
                for as_id in (3, 2, 1):
                    if as_id == server.id:
                        continue
                    # One with the smaller id is called back instead of being heard.
                    connection = Connection.to(server.election_port).send(hello(as_id), *self.forgeries(as_id))
                    time.sleep(0.05)
                    connection.close()
            if wanted:
                wait_for("another one leads", lambda: self.ensemble.leader() is not leader)
                self.write()
                leader.start()
                self.ensemble.all_serve()
            else:
                self.write()
                self.assertIs(self.ensemble.leader(), leader)
        self.check_all()

    def test_frames_of_no_size(self):
        self.begin()
        server = self.ensemble[1]
        for length in (0, -1, 512 * 1024 + 1, 0x7FFFFFFF):
            connection = Connection.to(server.election_port).send(hello(3), struct.pack(">i", length))
            self.assertTrue(connection.ended(), length)
            connection.close()
        self.write()
        self.check_all()


class HostileLeaders(HostileTest):
    """A leader that a follower has elected in good faith, and that then breaks the rules. The follower goes back to
    looking for a leader each time; in the end the others come back, and nothing is lost."""

    def setUp(self):
        self.begin()
        for server in self.voters():
            self.assertEqual(server.stop(), 0)
        self.follower = self.ensemble[1]
        self.follower.start()
        self.candidate = Candidate(self.ensemble[3], self.follower)
        self.addCleanup(lambda: self.candidate and self.candidate.close())

    def end(self):
        """The honest ones come back."""
        self.candidate.close()
        self.candidate = None
        for server in self.voters()[1:]:
            server.start()
        self.write()
        self.check_all()

    def agree(self, ahead=1):
        """A follower that has promised an epoch: its connection, the epoch, its last transaction."""
        connection, accepted = self.candidate.followed()
        self.addCleanup(connection.close)
        epoch = accepted + ahead
        connection.send(leader_info(epoch))
        last, _ = connection.until(ACKEPOCH)
        return connection, epoch, last

    def install(self):
        """A follower that serves."""
        connection, epoch, last = self.agree()
        connection.send(packet(DIFF, last), packet(NEWLEADER, start_of(epoch)))
        connection.until(ACK)
        connection.send(packet(UPTODATE))
        connection.until(ACK)
        return connection, epoch, last

    def try_each(self, cases):
        """Each case: its name, what it does, and why it is refused."""
        for name, case, why in cases:
            with self.subTest(name):
                known = len(self.follower.log.read_text())
                connection = case()
                self.logged(self.follower, why, known)
                self.assertTrue(connection.ended(), "it is let be")
                connection.close()
                self.assertTrue(self.follower.alive())

    def greeted(self, *sent):
        def case():
            connection, accepted = self.candidate.followed()
            return connection.send(*(part(accepted) if callable(part) else part for part in sent))

        return case

    def agreed(self, sent):
        def case():
            connection, epoch, last = self.agree()
            return connection.send(*sent(epoch, last))

        return case

    def installed(self, sent):
        def case():
            connection, epoch, last = self.install()
            # Its first transaction of this epoch would be this one.
            return connection.send(*sent(epoch, start_of(epoch) + 1))

        return case

    def test_before_it_is_followed(self):
        expected = "expected LEADERINFO"
        self.try_each([
            ("an epoch below the promised one", self.greeted(lambda accepted: leader_info(accepted - 1)), "is below epoch"),
            ("a negative epoch", self.greeted(leader_info(-5)), "is below epoch"),
            ("the last epoch", self.greeted(leader_info(HIGHEST_EPOCH)), "expected an epoch up to"),
            ("an epoch far away", self.greeted(lambda accepted: leader_info(accepted + (1 << 25))), "expected an epoch up to"),
            ("LEADERINFO without data", self.greeted(packet(LEADERINFO, 0)), "LEADERINFO's data"),
            ("NEWLEADER first", self.greeted(packet(NEWLEADER, 0)), expected),
            ("UPTODATE first", self.greeted(packet(UPTODATE)), expected),
            ("DIFF first", self.greeted(packet(DIFF, 0)), expected),
            ("COMMIT first", self.greeted(packet(COMMIT, 1)), expected),
            ("FOLLOWERINFO of its own", self.greeted(follower_info(3)), expected),
            ("a negative length", self.greeted(packet(LEADERINFO, 0, length=-2)), "packet's data"),
            ("a huge length", self.greeted(packet(LEADERINFO, 0, length=0x7FFFFFFF)), "packet's data"),
            ("an end within a packet", lambda: self.cut_off(leader_info(1)[:-1]), "in the middle of a packet"),
        ])
        self.end()

    def cut_off(self, sent):
        connection, _ = self.candidate.followed()
        connection.send(sent).socket.shutdown(1)
        return connection

    def test_a_history_that_is_none(self):
        plan = "expected DIFF, TRUNC or SNAP"

        def after_diff(sent):
            return self.agreed(lambda epoch, last: [packet(DIFF, last), *sent(epoch, last)])

        def proposal(zxid, inside=None):
            return packet(PROPOSAL, zxid, set_data_txn(inside or zxid))

        def snap(*parts):
            return self.agreed(lambda epoch, last: [packet(SNAP, last), *parts])

        def snap_cut():
            connection, _, last = self.agree()
            connection.send(packet(SNAP, last), struct.pack(">i", 0), bytes(3)).socket.shutdown(1)
            return connection

        far = 1_000_000
        self.try_each([
            ("UPTODATE before a plan", self.agreed(lambda epoch, last: [packet(UPTODATE)]), plan),
            ("NEWLEADER before a plan", self.agreed(lambda epoch, last: [packet(NEWLEADER, start_of(epoch))]), plan),
            ("PROPOSAL before a plan", self.agreed(lambda epoch, last: [proposal(last + 1)]), plan),
            ("LEADERINFO twice", self.agreed(lambda epoch, last: [leader_info(epoch)]), plan),
            ("UPTODATE before NEWLEADER", after_diff(lambda epoch, last: [packet(UPTODATE)]), "got UPTODATE, expected PROPOSAL"),
            ("a second plan", after_diff(lambda epoch, last: [packet(DIFF, last)]), "got DIFF, expected PROPOSAL"),
            ("TRUNC behind DIFF", after_diff(lambda epoch, last: [packet(TRUNC, last - 1)]), "got TRUNC, expected PROPOSAL"),
            ("a gap", after_diff(lambda epoch, last: [proposal(last + 2)]), "does not continue the history"),
            ("an epoch's second first", after_diff(lambda epoch, last: [proposal(start_of(epoch) + 2)]), "does not continue"),
            ("an epoch to come", after_diff(lambda epoch, last: [proposal(start_of(epoch + 1) + 1)]), "one of an epoch up to"),
            ("a negative zxid", after_diff(lambda epoch, last: [proposal(-1)]), "one of an epoch up to"),
            ("no transaction", after_diff(lambda epoch, last: [packet(PROPOSAL, last + 1, b"?" * 50)]), "malformed"),
            ("an empty one", after_diff(lambda epoch, last: [packet(PROPOSAL, last + 1, b"")]), "malformed"),
            ("PROPOSAL without data", after_diff(lambda epoch, last: [packet(PROPOSAL, last + 1)]), "PROPOSAL's data"),
            ("two zxids", after_diff(lambda epoch, last: [proposal(last + 1, last + 2)]), "malformed"),
            ("COMMIT without PROPOSAL", after_diff(lambda epoch, last: [packet(COMMIT, last + 1)]), "is not the next transaction"),
            ("COMMIT far away", after_diff(lambda epoch, last: [packet(COMMIT, last + far)]), "is not the next transaction"),
            ("NEWLEADER of an old epoch", after_diff(lambda epoch, last: [packet(NEWLEADER, start_of(epoch - 1))]), "NEWLEADER of epoch"),
            ("NEWLEADER of an epoch to come", after_diff(lambda epoch, last: [packet(NEWLEADER, start_of(epoch + 1))]), "NEWLEADER of epoch"),
            ("a state that ends in the middle", snap_cut, "in the middle of a packet"),
            ("a state with less than no sessions", snap(struct.pack(">i", -1), bytes(64)), "drops it"),
            ("a state with too many sessions", snap(struct.pack(">i", 0x7FFFFFFF), bytes(64), struct.pack(">i", -7) * 64), "drops it"),
            ("a state without a root", snap(struct.pack(">ii", 0, 0), struct.pack(">i", 1) + b"/", struct.pack(">i", 10), b"BenWasHere"), "drops it"),
            ("a state of an epoch to come", self.agreed(lambda epoch, last: [
                packet(SNAP, start_of(epoch + 1)), struct.pack(">ii", 0, 0), struct.pack(">i", 1) + b"/", struct.pack(">i", 10), b"BenWasHere",
            ]), "drops it"),
        ])
        self.end()

    def test_while_it_is_followed(self):
        expected = "expected PROPOSAL, COMMIT, INFORM"

        def proposal(zxid, inside=None):
            return packet(PROPOSAL, zxid, set_data_txn(inside or zxid))

        self.try_each([
            ("COMMIT without PROPOSAL", self.installed(lambda epoch, first: [packet(COMMIT, first)]), "is not the next transaction"),
            ("a gap", self.installed(lambda epoch, first: [proposal(first + 1)]), "does not continue"),
            ("an epoch to come", self.installed(lambda epoch, first: [proposal(start_of(epoch + 1) + 1)]), "one of an epoch up to"),
            ("INFORM with a gap", self.installed(lambda epoch, first: [packet(INFORM, first + 1, set_data_txn(first + 1))]), "does not continue"),
            ("no transaction", self.installed(lambda epoch, first: [packet(PROPOSAL, first, b"?")]), "malformed"),
            ("NEWLEADER again", self.installed(lambda epoch, first: [packet(NEWLEADER, start_of(epoch))]), expected),
            ("NEWLEADER of an epoch to come", self.installed(lambda epoch, first: [packet(NEWLEADER, start_of(epoch + 1))]), expected),
            ("UPTODATE again", self.installed(lambda epoch, first: [packet(UPTODATE)]), expected),
            ("TRUNC", self.installed(lambda epoch, first: [packet(TRUNC, 1)]), expected),
            ("DIFF", self.installed(lambda epoch, first: [packet(DIFF, first)]), expected),
            ("LEADERINFO", self.installed(lambda epoch, first: [leader_info(epoch + 1)]), expected),
            ("a REVALIDATE with half an answer", self.installed(lambda epoch, first: [packet(REVALIDATE, -1, bytes(8))]), "REVALIDATE's"),
            ("a huge length", self.installed(lambda epoch, first: [packet(PING, 0, length=0x7FFFFFFF)]), "packet's data"),
        ])
        # Answers to nothing that was asked change nothing.
        connection, _, last = self.install()
        connection.send(packet(SYNC, 0), packet(REVALIDATE, -1, struct.pack(">q?", 7, True)), packet(99, 0, b"?"), packet(PING, last))
        connection.until(PING)
        # What is committed is not cut: it asks for everything instead, without having dropped anything.
        connection.close()
        connection, epoch, last = self.agree()
        self.assertGreater(last & 0xFFFFFFFF, 0)
        connection.send(packet(TRUNC, last - 5))
        again, accepted = self.candidate.followed()
        again.send(leader_info(accepted))
        self.assertEqual(again.until(ACKEPOCH)[0], 0)
        again.close()
        self.end()


if __name__ == "__main__":
    import unittest

    unittest.main()
