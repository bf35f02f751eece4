/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs that the verifier must reject, each with its control: the same
 * program without the mistake.
 */
#define PAIR(type, name)                 \
	SEC("?" type)                    \
	int name(void *ctx)              \
	{                                \
		return name##_if(true);  \
	}                                \
	SEC("?" type)                    \
	int name##_control(void *ctx)    \
	{                                \
		return name##_if(false); \
	}
