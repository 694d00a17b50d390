/* main of every domain actor: ACTOR is the name of its actor_t, given by the build (children: children_actor). What the
 * process does stands in shared/actor/actor.c; what it answers in actors/NAME. */
#include "../shared/actor/actor.h"

extern const actor_t ACTOR;

int main(void)
{
    return actor_main(&ACTOR);
}
