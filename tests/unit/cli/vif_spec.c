/* Network devices as xl's users write them, and as they should not. */
#include <criterion/criterion.h>
#include <string.h>

#include "host/config.h"

static struct net_config net;

static bool parses(const char *spec)
{
    return net_config_parse(spec, &net) == 0;
}

Test(vif_spec, names_what_the_guest_is_connected_to)
{
    cr_assert(parses("user"));
    cr_expect_eq(net.kind, NET_USER);
    cr_assert(parses("vifname=tap0"));
    cr_expect_eq(net.kind, NET_TAP);
    cr_expect_str_eq(net.vifname, "tap0");
    cr_assert(parses("bridge=xenbr0, vifname=vif1.0"));
    cr_expect_eq(net.kind, NET_TAP);
    cr_expect_str_eq(net.bridge, "xenbr0");
    cr_assert(parses("mac=00:16:3e:00:00:02,socket=/run/a b"));
    cr_expect_eq(net.kind, NET_CONNECT);
    cr_expect_str_eq(net.socket, "/run/a b");
    net_config_destroy(&net);
    cr_assert(parses("listen=x"));
    cr_expect_eq(net.kind, NET_LISTEN);
    net_config_destroy(&net);
}

Test(vif_spec, takes_an_address)
{
    static const uint8_t mac[] = {0, 0x16, 0x3e, 0xAB, 0xcd, 0xef};

    cr_assert(parses("user,mac=00:16:3e:AB:cd:ef"));
    cr_expect(net.has_mac);
    cr_expect_arr_eq(net.mac, mac, 6);
}

Test(vif_spec, takes_rates)
{
    cr_assert(parses("user,rate=10Mb/s"));
    cr_expect_eq(net.rate_us, 50000);
    cr_expect_eq(net.rate_bytes, 62500);
    cr_assert(parses("user,rate=1MB/s@20ms"));
    cr_expect_eq(net.rate_us, 20000);
    cr_expect_eq(net.rate_bytes, 20000);
    cr_assert(parses("user,rate=8000b/s@1s"));
    cr_expect_eq(net.rate_bytes, 1000);
}

Test(vif_spec, takes_ports_to_forward)
{
    cr_assert(parses("user,hostfwd=tcp::8080-:80,"
                     "hostfwd=udp:127.0.0.1:53-10.0.2.15:5353"));
    cr_assert_eq(net.nr_forwards, 2);
    cr_expect_not(net.forwards[0].udp);
    cr_expect_str_eq(net.forwards[0].address, "");
    cr_expect_eq(net.forwards[0].host_port, 8080);
    cr_expect_eq(net.forwards[0].guest_port, 80);
    cr_expect(net.forwards[1].udp);
    cr_expect_str_eq(net.forwards[1].address, "127.0.0.1");
    cr_expect_eq(net.forwards[1].host_port, 53);
    cr_expect_eq(net.forwards[1].guest_port, 5353);
}

Test(vif_spec, takes_the_rest_of_xls_words)
{
    cr_assert(parses("bridge=br0,mtu=9000,ip=10.0.0.2,type=vif,backend=0"));
    cr_expect_eq(net.mtu, 9000);
    cr_expect_str_eq(net.ip, "10.0.0.2");
}

Test(vif_spec, refuses_all_else)
{
    static const char *const wrong[] = {
        "",
        "mac=00:16:3e:00:00:01",
        "user,vifname=tap0",
        "socket=/a,listen=/b",
        "tap0",
        "user,mac=00:16:3e:00:00",
        "user,mac=00:16:3e:00:00:01:02",
        "user,mac=01:16:3e:00:00:01",
        "user,mac=00:00:00:00:00:00",
        "user,mac=+0:16:3e:00:00:01",
        "user,mac=0:16:3e:00:00:001",
        "user,mtu=67",
        "user,mtu=65536",
        "user,mtu=",
        "user,mtu=1500x",
        "user,rate=10",
        "user,rate=Mb/s",
        "user,rate=10Mb/s@0ms",
        "user,rate=10Mb/s@2s",
        "user,rate=10Mb/s@5",
        "user,rate=1b/s",
        "user,rate=99999999999GB/s",
        "user,rate=99999999999999999999999B/s",
        "vifname=",
        "vifname=averyveryverylongname",
        "vifname=tap%d",
        "vifname=../tap",
        "bridge=a b",
        "socket=",
        "user,hostfwd=tcp::8080",
        "user,hostfwd=8080-:80",
        "user,hostfwd=sctp::8080-:80",
        "user,hostfwd=tcp::0-:80",
        "user,hostfwd=tcp::8080-:70000",
        "user,hostfwd=tcp::x-:80",
        "vifname=tap0,hostfwd=tcp::8080-:80",
        "user,backend=1",
        "user,type=ioemu",
        "user,model=e1000",
        "bridge=br0,script=vif-bridge",
        "user,mac=00:16:3e:00:00:01,mac=00:16:3e:00:00:02",
        "user,colour=blue",
        "user,ip=",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_not(parses(wrong[i]), "%s", wrong[i]);
        cr_expect_null(net.socket);
    }
}

Test(vif_spec, refuses_more_ports_than_there_is_room_for)
{
    char spec[2048] = "user";

    for (unsigned i = 0; i < CONFIG_MAX_FORWARDS; i++)
        strcat(spec, ",hostfwd=tcp::8080-:80");
    cr_expect(parses(spec));
    strcat(spec, ",hostfwd=tcp::8080-:80");
    cr_expect_not(parses(spec));
}

Test(vif_spec, gives_a_domain_the_same_address_each_time)
{
    uint8_t one[6], again[6], other[6], second[6];

    net_stable_mac("web", 0, one);
    net_stable_mac("web", 0, again);
    net_stable_mac("mail", 0, other);
    net_stable_mac("web", 1, second);
    cr_expect_arr_eq(one, "\x00\x16\x3e", 3);
    cr_expect_arr_eq(one, again, 6);
    cr_expect_neq(memcmp(one, other, 6), 0);
    cr_expect_neq(memcmp(one, second, 6), 0);
}
