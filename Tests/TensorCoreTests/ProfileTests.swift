import TensorCore
import TestSupport
import Testing

@Suite struct ProfileTests {
    @Test func everyPrimitiveIsCountedAndUnchanged() throws {
        let profile = Profile()
        let a = Tensor.sample([4, 3], seed: 1)
        let b = Tensor.sample([3, 5], seed: 2)
        let plain = (a.matrixProduct(b) + 1).softmax()
        let measured = Device.withBackend(ProfilingBackend(CPUBackend(), profile)) {
            (a.matrixProduct(b) + 1).softmax()
        }
        #expect(measured.isIdentical(to: plain))
        let entries = Dictionary(uniqueKeysWithValues: profile.sorted.map { ($0.name, $0.entry) })
        let product = try #require(entries["matrix product"])
        #expect(product.calls == 1)
        #expect(product.operations == 120)  // two for each of 4 x 3 x 5
        #expect(entries["affine"]?.calls == 1 && entries["softmax"]?.calls == 1)
        let table = profile.table(total: 10)
        #expect(table.contains("matrix product") && table.contains("between primitives"))
        profile.reset()
        #expect(profile.sorted.isEmpty)
    }
}
