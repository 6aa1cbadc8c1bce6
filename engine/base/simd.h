/*
 * simd: GCC vector types and function clones, in one place.
 * WEIR_CLONES compiles a function for several instruction sets and picks at load time; it is
 * empty under sanitizers (their runtime is not up when the resolver runs) and on compilers
 * without the attribute. Results are the same bit for bit: no contraction, fixed reduction order.
 */
#ifndef BASE_SIMD_H
#define BASE_SIMD_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__) ||       \
	(defined(__clang__) && __clang_major__ < 16)
#define WEIR_CLONES
#else
#define WEIR_CLONES __attribute__((target_clones("avx2", "default")))
#endif

#endif
