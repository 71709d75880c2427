import TensorCore
import TestSupport
import Testing

/// What holds for every row of the table of tensor operations.
@Suite struct TensorOperationTests {
    static let table = TensorOperation.table

    @Test(arguments: table) func layoutsDoNotMatter(operation: TensorOperation) {
        let inputs = operation.samples(operation.small)
        let dense = operation.apply(inputs)
        for layout in Layout.allCases {
            let viewed = operation.apply(inputs.map { $0.laidOut(layout) })
            for (a, b) in zip(dense, viewed) {
                #expect(a.dtype == b.dtype && a.isContiguous && b.isContiguous)
                let error = b.error(from: a)
                #expect(error <= 1e-6, "\(layout): \(error)")
            }
        }
    }

    @Test(arguments: table.filter(\.roundsOnce), [DType.bfloat16, .float16])
    func narrowTypesRoundOnce(operation: TensorOperation, dtype: DType) {
        let inputs = operation.samples(operation.small).map { $0.converted(to: dtype) }
        let exact = operation.apply(inputs.map { $0.converted(to: .float32) })
        for (a, b) in zip(exact, operation.apply(inputs)) {
            #expect(b.dtype == dtype)
            #expect(b.isIdentical(to: a.converted(to: dtype)))
        }
    }

    /// Inputs stay as they are, whatever an operation does with them.
    @Test(arguments: table) func inputsAreNotWritten(operation: TensorOperation) {
        let inputs = operation.samples(operation.small)
        let before = inputs.map { $0.copied() }
        let results = operation.apply(inputs)
        for (a, b) in zip(inputs, before) { #expect(a.isIdentical(to: b)) }
        for result in results { #expect(!inputs.contains { $0.storage === result.storage }) }
    }

    // In a process of its own: the number of threads is one for the whole process.
    @Test func threadCountsDoNotMatter() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            for operation in TensorOperationTests.table {
                for engine in CPUBackend.Engine.allCases {
                    // The plain engine is slow: it gets the products alone, as does the engine that is not the default.
                    if engine != .kernels && operation.threads == .none { continue }
                    Device.withBackend(CPUBackend(engine: engine)) {
                        // Numbers of all digits: sums of the samples themselves would be exact in any order.
                        let inputs = operation.samples(operation.large).map { $0 * 1.0471976 }
                        Threads.set(1)
                        let alone = operation.apply(inputs)
                        for count in [2, 3] {
                            Threads.set(count)
                            for (a, b) in zip(alone, operation.apply(inputs)) {
                                if [.kernels, .plain].contains(engine) || operation.threads == .none {
                                    #expect(a.isIdentical(to: b), "\(operation.name), \(engine), \(count) threads")
                                } else {
                                    let error = b.error(from: a)
                                    #expect(error <= 2e-5, "\(operation.name), \(count) threads: \(error)")
                                    print("\(operation.name), \(count) threads: \(error) from one thread")
                                }
                            }
                        }
                    }
                }
            }
        }
        print(String(decoding: result?.standardOutputContent ?? [], as: UTF8.self))
    }

    @Test func theTableCoversEveryOperation() throws {
        let coverage = try coverage(of: Self.table.map(\.covers), in: "TensorCore/Operations", atLeast: 36)
        #expect(coverage.withoutRow == [] && coverage.gone == [])
    }
}
