import TensorCore
import TestSupport
import Testing

/// Every row of the table of differentiable operations on ``ReferenceBackend``, with the tolerances of the CPU.
@Suite struct ReferenceBackendTests {
    private func onReference(_ body: () throws -> Void) rethrows {
        try Device.withBackend(ReferenceBackend(), body)
    }

    @Test(arguments: DifferentiableOperation.table) func finiteDifferences(operation: DifferentiableOperation) throws {
        try onReference { try GradientTests().finiteDifferences(operation: operation) }
    }

    @Test(arguments: DifferentiableOperation.table) func stridedViews(operation: DifferentiableOperation) throws {
        try onReference {
            for layout in Layout.allCases where layout != .dense {
                try GradientTests().stridedViews(operation: operation, layout: layout)
            }
        }
    }

    @Test(arguments: DifferentiableOperation.table) func bfloat16(operation: DifferentiableOperation) throws {
        try onReference { try GradientTests().bfloat16(operation: operation) }
    }

    @Test func kinksAndExtremes() throws {
        try onReference {
            try GradientTests().rowsOfMinusInfinityGiveZeros()
            try GradientTests().kinksHaveTheUsualSlopes()
            GELUTests().valuesAndSlopesAreThoseOfDoublePrecision()
        }
    }

    @Test(arguments: [DType.float32, .bfloat16]) func quantizedWeights(type: DType) {
        onReference {
            QuantizedLinearTests().equalsDequantized(type: type)
            QuantizedLinearTests().together(type: type)
        }
    }

    @Test(arguments: [false, true]) func checkpoints(usesSide: Bool) throws {
        try onReference {
            try CheckpointTests().gradientsAreBitIdentical(usesSide: usesSide)
            try CheckpointTests().nestedCheckpoints(usesSide: usesSide)
        }
    }
}
