package conformance_test

func operationSteps() []step      { return nil }
func taskSteps() []step           { return nil }
func reconciliationSteps() []step { return nil }
func executorSteps() []step       { return nil }
func operatorSteps() []step       { return nil }
func agentSteps() []step          { return nil }
