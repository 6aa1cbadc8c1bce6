/*
 * config_address: "127.0.0.1:9464" or "[::1]:9464" as an address. Numbers only: a configuration
 * means the same without a name server.
 */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* 0, or -EINVAL. */
int config_address(const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_bytes);
/* Can nobody but this machine reach it? */
bool config_address_is_loopback(const struct sockaddr_storage *address);

#endif
