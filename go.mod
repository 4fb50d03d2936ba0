module github.com/kubectl-wg/kubectl-wg

go 1.26
