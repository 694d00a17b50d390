/* build: which build of aipoten this program is. */
#pragma once

extern const char build_version[];

enum { BUILD_ID_SIZE = 41 };
/* The linker's build id of the program in hexadecimal, as file(1) shows it; empty when it has none. */
void build_id(char out[static BUILD_ID_SIZE]);
