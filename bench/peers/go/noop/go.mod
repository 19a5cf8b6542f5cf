module noop

go 1.21
