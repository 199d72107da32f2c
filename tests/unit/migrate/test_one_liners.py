"""What scripts that people write become with --recipes, or why they are left alone."""

from pathlib import Path

import pytest

from kacheck.cli import main
from kacheck.keepalived import parse
from kacheck.migrate.equivalents import LIBEXEC

TIMES = "interval 3\n    timeout 2"
HTTP = "kacheck-http --timeout 1.8 --expect 200-399"
ANY = "it passed on every answer"
NO_SHELL = "keepalived starts no shell"
URL = "http://127.0.0.1:8080/health"
HEALTH = "https://127.0.0.1:8200/v1/sys/health"


def migrate(directory: Path, script: str, times: str = TIMES, *options: str) -> int:
    """Migrate one script; the result is printed as a diff."""
    path = directory / "keepalived.conf"
    path.write_text(f"vrrp_script chk {{\n    script {script}\n    {times}\n    weight -5\n}}\n")
    return main(["migrate", str(path), "--recipes", *options])


def command_in(diff: str) -> list[str]:
    """Return the command of the new script."""
    (line,) = [line for line in diff.splitlines() if line.startswith("+ ")]
    (node,) = parse(f"vrrp_script chk {{\n{line[1:]}\n}}\n").find("vrrp_script", "script")
    assert node.command is not None
    return node.command


REPLACED = [
    # curl
    (f"curl -f {URL}", f"{HTTP} {URL}", ""),
    (f"curl -sf {URL}", f"{HTTP} {URL}", ""),
    (f"/usr/bin/curl -sf -o /dev/null {URL}", f"{HTTP} {URL}", ""),
    (f"curl -fsS -o/dev/null {URL}", f"{HTTP} {URL}", ""),
    (f"curl --silent --fail --output /dev/null {URL}", f"{HTTP} {URL}", ""),
    (f"curl --fail-with-body -s {URL}", f"{HTTP} {URL}", ""),
    (f"curl {URL}", f"{HTTP} {URL}", ANY),
    (f"curl -s {URL}", f"{HTTP} {URL}", ANY),
    ("curl -f http://localhost:8404", f"{HTTP} http://localhost:8404", ""),
    ("curl -f 127.0.0.1:8080/x?a=1", f"{HTTP} http://127.0.0.1:8080/x?a=1", ""),
    ("curl -f http://127.0.0.1/#top", f"{HTTP} http://127.0.0.1/", ""),
    (f"curl -fm 1 {URL}", f"{HTTP.replace('1.8', '1')} {URL}", ""),
    (f"curl -f --max-time 0.5 {URL}", f"{HTTP.replace('1.8', '0.5')} {URL}", ""),
    (f"curl -f -m 30 {URL}", f"{HTTP} {URL}", ""),
    (f"curl -f --connect-timeout 1 {URL}", f"{HTTP} {URL}", "--connect-timeout 1 becomes"),
    (f"curl -f --connect-timeout 1 -m 1 {URL}", f"{HTTP.replace('1.8', '1')} {URL}", ""),
    (f"timeout 1 curl -f {URL}", f"{HTTP.replace('1.8', '1')} {URL}", ""),
    (f"/usr/bin/timeout -k 1 1s curl -f {URL}", f"{HTTP.replace('1.8', '1')} {URL}", ""),
    ("curl -sfk https://127.0.0.1:6443/healthz -o /dev/null",
     f"{HTTP} --insecure https://127.0.0.1:6443/healthz", ""),
    ("curl --cacert /etc/ca.pem -f https://127.0.0.1/", (f"{HTTP} --ca-cert /etc/ca.pem"
     " https://127.0.0.1/"), ""),
    ("curl --cert /c.pem --key /k.pem -f https://127.0.0.1/",
     f"{HTTP} --client-cert /c.pem --client-key /k.pem https://127.0.0.1/", ""),
    ("curl -fI http://127.0.0.1/", f"{HTTP} --method HEAD http://127.0.0.1/", ""),
    ("curl -f -H 'Host: www.example.org' http://127.0.0.1/",
     f"{HTTP} --header|Host: www.example.org|http://127.0.0.1/", ""),
    ("curl -f --unix-socket /run/app.sock http://localhost/ping",
     f"{HTTP} --unix-socket /run/app.sock http://localhost/ping", ""),
    (f"curl -f -X GET {URL}", f"{HTTP} {URL}", ""),
    (f"sh -c 'curl -sf {URL} >/dev/null 2>&1'", f"{HTTP} {URL}", ""),
    (f"sh -c 'curl -sf {URL} >/dev/null || exit 1'", f"{HTTP} {URL}", ""),
    (f"/bin/bash -c 'curl -sf {URL} && exit 0 || exit 1'", f"{HTTP} {URL}", ""),
    (f"/usr/bin/curl -f {URL} || exit 1", f"{HTTP} {URL}", NO_SHELL),
    (f"/usr/bin/curl -sf {URL} > /dev/null", f"{HTTP} {URL}", NO_SHELL),
    (f"sh -c 'if curl -sf {URL}; then exit 0; else exit 1; fi'", f"{HTTP} {URL}", ""),
    # what it looks for
    (f"sh -c 'curl -sf {URL} | grep -q UP'", f"{HTTP} --contains UP {URL}", "first 64 KiB"),
    (f"sh -c 'curl -s {URL} | grep UP'", f"{HTTP} --contains UP {URL}", "error pages as well"),
    (f"sh -c 'curl -sf {URL} | grep -Fq 1.2'", f"{HTTP} --contains 1.2 {URL}", "first 64 KiB"),
    ("/usr/bin/curl -s http://127.0.0.1:8008/patroni | grep -q 'role: primary'",
     f"{HTTP} --contains|role: primary|http://127.0.0.1:8008/patroni", NO_SHELL),
    (f"sh -c 'curl -so /dev/null -w %{{http_code}} {URL} | grep -q 200'",
     f"{HTTP.replace('-399', '')} {URL}", ""),
    (f"sh -c 'test $(curl -so /dev/null -w %{{http_code}} {URL}) = 200'",
     f"{HTTP.replace('-399', '')} {URL}", ""),
    (f"bash -c '[[ 204 == $(curl -so /dev/null -w %{{http_code}} {URL}) ]] || exit 1'",
     f"{HTTP.replace('200-399', '204')} {URL}", ""),
    ("/usr/bin/curl -s http://127.0.0.1:8008/leader -v 2>&1|grep '200 OK' >/dev/null",
     f"{HTTP.replace('-399', '')} http://127.0.0.1:8008/leader", NO_SHELL),
    (f"sh -c 'curl -sI {URL} | grep -q 200'",
     f"{HTTP.replace('-399', '')} --method HEAD {URL}", ""),
    # Vault
    (f"curl -sf {HEALTH}", "kacheck-vault --timeout 1.8 --address https://127.0.0.1:8200", ""),
    (f"curl -sfk {HEALTH}?standbyok=true", ("kacheck-vault --timeout 1.8 --address"
     " https://127.0.0.1:8200 --accept active --accept standby --insecure"), ""),
    (f"wget -qO- {HEALTH}", "kacheck-vault --timeout 1.8 --address https://127.0.0.1:8200", ""),
    # wget
    (f"wget -q --spider {URL}", f"kacheck-http --timeout 1.8 {URL}", "follows redirects"),
    ("wget -q --spider 127.0.0.1:8080/index.html",
     "kacheck-http --timeout 1.8 http://127.0.0.1:8080/index.html", "follows redirects"),
    (f"wget -qO- -T 1 -t 1 {URL}", f"kacheck-http --timeout 1 {URL}", "follows redirects"),
    (f"wget -q -O /dev/null --no-check-certificate --max-redirect=0 {URL}",
     f"kacheck-http --timeout 1.8 --insecure {URL}", ""),
    (f"sh -c 'wget -qO- {URL} | grep -q ok'",
     f"kacheck-http --timeout 1.8 --contains ok {URL}", "follows redirects"),
    # ports
    ("nc -z 127.0.0.1 3306", "kacheck-tcp --timeout 1.8 127.0.0.1:3306", ""),
    ("nc -zv localhost 3306", "kacheck-tcp --timeout 1.8 localhost:3306", ""),
    ("/usr/bin/nc -z -w 1 127.0.0.1 6379", "kacheck-tcp --timeout 1 127.0.0.1:6379", ""),
    ("nc -zw1 ::1 80", "kacheck-tcp --timeout 1 [::1]:80", ""),
    ("nc -zU /run/app.sock", "kacheck-tcp --timeout 1.8 unix:/run/app.sock", ""),
    ("bash -c '</dev/tcp/127.0.0.1/80'", "kacheck-tcp --timeout 1.8 127.0.0.1:80", ""),
    ("/bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/80'", "kacheck-tcp --timeout 1.8 127.0.0.1:80", ""),
    ("timeout 1 bash -c 'cat </dev/null >/dev/tcp/127.0.0.1/80'",
     "kacheck-tcp --timeout 1 127.0.0.1:80", ""),
    # processes
    ("pidof haproxy", "kacheck-process --timeout 1.8 --all-namespaces haproxy", ""),
    ("/usr/bin/killall -0 haproxy", "kacheck-process --timeout 1.8 --all-namespaces haproxy", ""),
    ("pkill -0 -x haproxy", "kacheck-process --timeout 1.8 --all-namespaces haproxy", ""),
    ("pgrep -xc haproxy", "kacheck-process --timeout 1.8 --all-namespaces haproxy", ""),
    ("ps -C haproxy", "kacheck-process --timeout 1.8 --all-namespaces haproxy", ""),
    ("sh -c 'pidof haproxy >/dev/null 2>&1 || exit 1'",
     "kacheck-process --timeout 1.8 --all-namespaces haproxy", ""),
    ("sh -c 'pgrep -x nginx &>/dev/null'",
     "kacheck-process --timeout 1.8 --all-namespaces nginx", "where sh is dash"),
    (
        "bash -c 'if ! pidof haproxy >/dev/null; then exit 1; fi'",
        "kacheck-process --timeout 1.8 --all-namespaces haproxy",
        "",
    ),
    (
        "sh -c 'if ! killall -0 haproxy; then exit 2; fi; exit 0'",
        "kacheck-process --timeout 1.8 --all-namespaces haproxy",
        "",
    ),
    # programs
    ("systemctl is-active haproxy",
     "kacheck-command --timeout 1.8 systemctl is-active haproxy", "within milliseconds"),
    ("/usr/bin/systemctl is-active --quiet k3s",
     "kacheck-command --timeout 1.8 /usr/bin/systemctl is-active k3s", "within milliseconds"),
    ("/usr/lib/nagios/plugins/check_http -H 127.0.0.1 -u '/a b'",
     "kacheck-command --timeout 1.8 -- /usr/lib/nagios/plugins/check_http -H 127.0.0.1 -u|/a b",
     ""),
    ("/usr/lib64/nagios/plugins/check_disk",
     "kacheck-command --timeout 1.8 /usr/lib64/nagios/plugins/check_disk", ""),
]  # fmt: skip


@pytest.mark.parametrize(("script", "wanted", "note"), REPLACED, ids=[row[0] for row in REPLACED])
def test_a_script_becomes_the_check_that_means_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, wanted: str, note: str
) -> None:
    assert migrate(tmp_path, f'"{script}"') == 0
    said = capsys.readouterr()
    first, *rest = wanted.split("|")
    words = [*first.split(), *rest[:1], *(word for each in rest[1:] for word in each.split())]
    assert command_in(said.out) == [f"{LIBEXEC}/{words[0]}", *words[1:]]
    assert (note or "is /usr/libexec/kacheck/") in said.err
    assert note or ";" not in said.err.partition(" now")[2].partition("\n")[0]


LEFT = [
    (f"curl -Ls {URL}", "it follows redirects (-L)"),
    (f"/usr/bin/timeout 0.9 /usr/bin/curl -o /dev/null -Ls {URL}", "it follows redirects (-L)"),
    (f"curl -x http://proxy:3128 {URL}", "it goes through a proxy"),
    (f"curl -u admin:hidden {URL}", "kacheck-http --auth-file FILE URL"),
    ("curl http://admin:hidden@127.0.0.1/", "kacheck-http --auth-file FILE URL"),
    (f"curl -H 'Authorization: Bearer hidden' {URL}", "kacheck-http --auth-file FILE URL"),
    (f"curl -H 'Transfer-Encoding: x' {URL}", "kacheck-http refuses it"),
    (f"curl -d x=1 {URL}", "it sends data"),
    (f"curl -X POST {URL}", "it asks with POST"),
    (f"curl -o /tmp/answer {URL}", "it writes /tmp/answer"),
    (f"curl -fO {URL}", "no equivalent for -O"),
    (f"curl -f {URL} {URL}2", "it asks for 2 URLs"),
    ("curl -f http://127.0.0.1/[1-3]", "several URLs"),
    ("curl -f ftp://127.0.0.1/", "it speaks ftp"),
    (f"curl -f --retry 3 {URL}", "with `fall 2`"),
    (f"curl -f --resolve x:80:127.0.0.1 {URL}", "no equivalent for --resolve"),
    (f"curl -f -m x {URL}", "'x' is not a number of seconds"),
    (f"sudo -u app curl -f {URL}", "sudo changes what its command does"),
    (f"sh -c 'http_proxy= curl -f {URL}'", "http_proxy= changes what its command does"),
    ("sh -c 'curl -f http://$HOST/'", "it has a variable"),
    (f"sh -c 'curl -f {URL} &'", "a command in the background"),
    (f"sh -c 'curl -s {URL} | grep -E \"UP|OK\"'".replace('"', "'"), ""),
    (f"sh -c 'curl -s {URL} | grep -q status.UP'", "a regular expression"),
    (f"sh -c 'curl -s {URL} | grep -iq up'", "grep -i ignores the case"),
    (f"sh -c 'curl -s {URL} | grep -v DOWN'", "grep -v looks for another line"),
    (f"sh -c 'curl -s {URL} | jq -e .ok'", "--json PATH=VALUE"),
    (f"sh -c 'curl -s {URL} | grep UP | grep db'", "goes through grep | grep"),
    (f"sh -c 'curl -sw %{{http_code}} {URL} | grep 200'", "does not read the answer alone"),
    (f"sh -c 'curl -sf {URL} && pidof haproxy'", "kacheck-combined"),
    (f"sh -c 'curl -sf {URL} || systemctl restart nginx'", "does not reduce to one check"),
    (f"sh -c 'curl -sf {URL}; exit 0'", "it always passes"),
    (f"sh -c 'curl -sf {URL} || true'", "it always passes"),
    (f"sh -c curl -sf {URL}", "sh -c runs curl alone"),
    (f"curl -s {HEALTH}", "which roles of Vault may have the VIP"),
    (f"curl -sf {HEALTH}?perfstandbyok=true", "which roles of Vault may have the VIP"),
    (f"wget -q {URL}", "it writes a file each time"),
    (f"wget -q --spider --user=a --password=hidden {URL}", "--auth-file FILE URL"),
    ("nc -zu 127.0.0.1 53", "a UDP port does not answer"),
    ("nc -z 127.0.0.1 80-90", "80-90 is not one port's number"),
    ("nc 127.0.0.1 80", "nc without -z"),
    ("</dev/tcp/127.0.0.1/3306", f"write {LIBEXEC}/kacheck-tcp 127.0.0.1:3306"),
    ("sh -c '</dev/tcp/127.0.0.1/80'", f"write {LIBEXEC}/kacheck-tcp 127.0.0.1:80"),
    ("bash -c 'echo PING >/dev/tcp/127.0.0.1/6379'", "it talks to the service"),
    ("systemctl is-active haproxy && systemctl is-active nginx", NO_SHELL),
    ("systemctl is-active haproxy nginx", "as soon as one of several units"),
    ("systemctl status haproxy", "write systemctl is-active UNIT"),
    ("docker inspect -f {{.State.Running}} web", "succeeds for a stopped container as well"),
    ("pgrep haproxy", f"write {LIBEXEC}/kacheck-process haproxy"),
    ("pgrep -f server.js", "in its command line"),
    ("pkill -0 haproxy", f"write {LIBEXEC}/kacheck-process haproxy"),
    ("killall haproxy", "killall without -0 ends the processes"),
    ("killall -0 /usr/sbin/haproxy", f"write {LIBEXEC}/kacheck-process /usr/sbin/haproxy"),
    ("pidof haproxy nginx", "any one of several names"),
    ("sh -c 'ps aux | grep -v grep | grep -q haproxy'", "ps in a pipe"),
    ("sh -c 'ps -C nginx --no-header | wc -l'", "ps in a pipe"),
    ("sh -c 'kill -0 $(cat /run/haproxy.pid)'", "it has a variable or $(...)"),
    ("sh -c 'if pidof haproxy; then exit 1; else exit 0; fi'", "does not reduce"),
    ("sh -c 'if pidof haproxy; then echo 0; else echo 1; fi'", "does not reduce"),
    ("sh -c '! pidof haproxy'", "a shell makes something else of !"),
]  # fmt: skip
OWN = [
    "/etc/keepalived/check_apiserver.sh",
    "/usr/local/bin/check curl",
    "sh /etc/keepalived/check.sh",
    "sh -c '/etc/keepalived/check.sh; true'",
    "ping -c 1 10.0.0.1",
    f"{LIBEXEC}/kacheck-http {URL}",
]


@pytest.mark.parametrize(("script", "why"), LEFT, ids=[row[0] for row in LEFT])
def test_a_script_is_left_alone_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, why: str
) -> None:
    assert migrate(tmp_path, f'"{script}"') == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{tmp_path}/keepalived.conf:2: this is left alone: " in said.err
    assert why in said.err
    assert ";" in said.err, "a cure"
    assert "hidden" not in said.err


@pytest.mark.parametrize("script", OWN)
def test_a_script_of_the_users_own_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str
) -> None:
    assert migrate(tmp_path, f'"{script}"') == 0
    assert capsys.readouterr().err.endswith("nothing to migrate\n")


@pytest.mark.parametrize(
    ("times", "deadline"),
    [
        ("interval 1", []),
        ("interval 10", ["--timeout", "9.8"]),
        ("interval 10\ntimeout 3", ["--timeout", "2.8"]),
        ("timeout 3\ninterval 1\ntimeout 5", ["--timeout", "4.8"]),
        ("interval 0", []),
        ("weight 2", []),
    ],
)
def test_the_deadline_is_just_below_keepaliveds_timeout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], times: str, deadline: list[str]
) -> None:
    assert migrate(tmp_path, '"pidof vault"', times) == 0
    words = [f"{LIBEXEC}/kacheck-process", *deadline, "--all-namespaces", "vault"]
    assert command_in(capsys.readouterr().out) == words
