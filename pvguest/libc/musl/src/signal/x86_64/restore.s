# There are no signals to return from.
.text
.global __restore_rt
.hidden __restore_rt
.type __restore_rt,@function
.global __restore
.hidden __restore
.type __restore,@function
__restore:
__restore_rt:
	ud2
