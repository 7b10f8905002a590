/*-------------------------------------------------------------------------
 *
 * module.c
 *	  What makes this library a PostgreSQL module, and nothing else.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

extern VISIBLE const Pg_magic_struct *Pg_magic_func(void);

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(
					.name = "tokenomics",
					.version = EXTVERSION
);
#else
PG_MODULE_MAGIC;
#endif
