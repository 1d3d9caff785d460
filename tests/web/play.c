// SPDX-License-Identifier: MIT
/*
 * The playground on the host: each line of standard input is a step; its answer and the state
 * behind it are a line each on standard output. tests/web compares them with the page's.
 */
#include "web/play.h"

#include <stdio.h>
#include <string.h>

int main(void)
{
	while (fgets(play_input(), PLAY_INPUT_SIZE, stdin)) {
		play_input()[strcspn(play_input(), "\n")] = '\0';
		play_step();
		puts(play_output());
		play_state();
		puts(play_output());
	}
	return 0;
}
