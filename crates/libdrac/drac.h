/*
 * libdrac: tells a DRAC server of a user's address, so that the user may send mail from there. See libdrac(3).
 *
 * A function returns 0 to 3, the server's answer, or -1 (the server was not found, or nothing is connected) or
 * -2 (the call has no result). errmsg may be null; otherwise *errmsg is made to point to a text, also on success,
 * which is valid until the calling thread's next call and must be neither changed nor freed.
 * A call takes two seconds at most.
 */
#ifndef DRAC_H
#define DRAC_H

/* What the server answers. */
enum {
    ADD_SUCCESS = 0, /* the address was added */
    ADD_PERM = 1,    /* this host may not add addresses */
    ADD_SYSERR = 2,  /* the address cannot be added, or could not be stored */
    ADD_UNKNOWN = 3  /* anything else */
};

#ifdef __cplusplus
extern "C" {
#endif

/* Adds the IPv4 address userip, in network byte order as in in_addr.s_addr. */
int dracauth(const char *server, unsigned long userip, char **errmsg);

/* Adds the IPv6 address of the 16 octets at userip6, as in in6_addr.s6_addr. */
int dracauth6(const char *server, const unsigned char *userip6, char **errmsg);

/* The same in three steps, for several addresses. There is one connection in a process, and one of the second kind. */
int dracconn(const char *server, char **errmsg);
int dracsend(unsigned long userip, char **errmsg);
int dracdisc(char **errmsg);

int dracconn6(const char *server, char **errmsg);
int dracsend6(const unsigned char *userip6, char **errmsg);
int dracdisc6(char **errmsg);

#ifdef __cplusplus
}
#endif

#endif
