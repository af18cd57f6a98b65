module koperator.dev/koperator/test/cluster/programs/pause

go 1.26.0
