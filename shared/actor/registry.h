/* registry: who subscribes to which type of event, which operations actors offer each other, and the hashes of the services' rows.
 * registry.c is written at build by
 * tools/describe.c from the actors' rows; every actor links it. */
#pragma once
#include "calls.h"
#include "../net/upstream.h"

typedef struct {
    const char *type;      /* "record.read" */
    const char *service;   /* the instances that take it */
    const char *operation; /* the row that does */
} subscription_t;

extern const subscription_t registry[];
extern const int registry_count;
/* Rows with .internal. */
extern const operation_t registry_operations[];
extern const int registry_operation_count;
extern const upstream_service_t registry_services[];
extern const int registry_service_count;
