# A call that is a cancellation point: not made when the thread has been
# cancelled. (cancel flag, nr, a1 ... a4 in registers, a5 and a6 on the stack)
.text
.global __cp_begin
.hidden __cp_begin
.global __cp_end
.hidden __cp_end
.global __cp_cancel
.hidden __cp_cancel
.hidden __cancel
.global __syscall_cp_asm
.hidden __syscall_cp_asm
.type __syscall_cp_asm,@function
__syscall_cp_asm:
__cp_begin:
	cmpl $0,(%rdi)
	jne __cp_cancel
	push %rbp
	mov %rsp,%rbp
	mov %rsi,%rdi
	mov %rdx,%rsi
	mov %rcx,%rdx
	mov %r8,%rcx
	mov %r9,%r8
	mov 16(%rbp),%r9
	mov 24(%rbp),%rax
	sub $8,%rsp
	push %rax
	call guest_linux_syscall
	leave
__cp_end:
	ret
__cp_cancel:
	jmp __cancel
