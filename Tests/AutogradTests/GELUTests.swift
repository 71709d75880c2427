import Autograd
import TensorCore
import Testing

/// Values and slopes in double precision from
/// `x = torch.tensor([…], dtype=torch.float64, requires_grad=True); y = torch.nn.functional.gelu(x); y.sum().backward()`.
@Suite struct GELUTests {
    private let points: [(x: Float, y: Double, slope: Double)] = [
        (-6, -5.919525869479969e-09, -3.546870945402639e-08),
        (-3, -0.00404969409489031, -0.01194564720418392),
        (-1, -0.15865525393145702, -0.08331547058768635),
        (-0.25, -0.10032341857926907, 0.304626645116364),
        (0, 0, 0.5),
        (0.25, 0.14967658142073093, 0.695373354883636),
        (1, 0.841344746068543, 1.0833154705876864),
        (3, 2.99595030590511, 1.011945647204184),
        (12, 12, 1),
    ]

    @Test func valuesAndSlopesAreThoseOfDoublePrecision() {
        let x = Variable(Tensor(points.map(\.x), [points.count]), requiresGradient: true)
        let y = x.applying(.gelu)
        y.sum().backward()
        for (i, point) in points.enumerated() {
            let (value, slope) = (Double(y.value.floats[i]), Double(x.gradient!.floats[i]))
            // Relative: the left tail keeps its digits too.
            #expect(abs(value - point.y) <= 2e-6 * abs(point.y), "gelu(\(point.x)) = \(value), not \(point.y)")
            #expect(abs(slope - point.slope) <= 4e-6 * abs(point.slope), "at \(point.x) \(slope), not \(point.slope)")
        }
    }
}
