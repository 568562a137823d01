module pirn/lab

go 1.19
