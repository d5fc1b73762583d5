/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nobody can be called yet. */
#include "upcall.h"

void upcall_role_owner(enum ukshm_role role, const struct role_owner *owner) { (void)role, (void)owner; }

bool upcall_listens(enum ukshm_role role)
{
    (void)role;
    return false;
}

int upcall_submit(struct call *call)
{
    (void)call;
    return -ESRCH;
}
